"""Tables and treebanks, sound ones and spoilt ones: what a number draws, it draws each time."""

import json
import random
import re

WORDS = (
    "the",
    "she",
    "dog",
    "walks",
    "Café",
    "don't",
    "15",
    "日本",
    "Привет",
    "ﷺ",
    "👩‍💻",
    "e\u0301",
)
N_ROWS = 24


def rows(draw: random.Random) -> list[dict]:
    found = []
    for k in range(N_ROWS):
        words = draw.choices(WORDS, k=draw.randint(1, 6))
        start = draw.randrange(len(words))
        row = {"text": " ".join(words), "words": " ".join(words), "label": "ab"[k % 2]}
        row |= {"tags": " ".join("NV"[len(w) % 2] for w in words), "span": words[start], "nth": 1}
        row |= {"start": 0, "end": len(words[0]), "start2": 0, "end2": 1, "value": k / 7}
        found.append(row | {"split": ("train", "train", "dev", "test")[k // 2 % 4], "group": k})
    return found


def separated(draw: random.Random, sign: str) -> str:
    def cell(value) -> str:
        text = str(value)
        return f'"{text}"' if sign == "," and draw.random() < 0.2 else text

    table = rows(draw)
    lines = [sign.join(table[0]), *(sign.join(map(cell, row.values())) for row in table)]
    return "\n".join(lines) + "\n"


def json_lines(draw: random.Random) -> str:
    lines = [row | {"words": row["words"].split()} for row in rows(draw)]
    return "".join(json.dumps(row, ensure_ascii=draw.random() < 0.5) + "\n" for row in lines)


def conllu(draw: random.Random) -> str:
    lines = []
    for k in range(N_ROWS):
        lines += [f"# newdoc id = {k}"] * (k % 3 == 0) + [f"# sent_id = {k}", "# text = _"]
        if k % 5 == 0:
            lines.append("1-2\tdon't\t_\t_\t_\t_\t_\t_\t_\t_")
        for number in range(1, draw.randint(2, 5)):
            tag, head = draw.choice(("NOUN", "VERB", "_")), number - 1
            form = draw.choice(WORDS)
            feature = draw.choice(("Number=Sing", "Number=Plur", "_"))
            relation = draw.choice(("nsubj", "obl:tmod")) if head else "root"
            cells = (number, form, form, tag, "_", feature, head, relation, "_", "_")
            lines.append("\t".join(map(str, cells)))
        lines.append("")
    return "\n".join(lines) + "\n"


def lines_shuffled(draw: random.Random, text: str) -> str:
    lines = text.split("\n")
    draw.shuffle(lines)
    return "\n".join(lines)


def columns_shuffled(draw: random.Random, text: str) -> str:
    lines = text.split("\n")
    k = draw.randrange(len(lines))
    sign = "\t" if "\t" in lines[k] else ","
    cells = lines[k].split(sign)
    draw.shuffle(cells)
    lines[k] = sign.join(cells[draw.randint(0, 1) :])
    return "\n".join(lines)


def cell_changed(draw: random.Random, text: str) -> str:
    """Put something odd in place of what stands between two signs."""
    edges = [m.start() for m in re.finditer(r'[,\t\n":]', text)] or [0]
    start = draw.choice(edges)
    end = next((edge for edge in edges if edge > start), len(text))
    return text[: start + 1] + draw.choice(ODD) + text[end:]


def piece(draw: random.Random, content):
    a, b = sorted(draw.randint(0, len(content)) for _ in range(2))
    return a, min(b, a + 200)


def cut(draw: random.Random, content):
    a, b = piece(draw, content)
    return draw.choice((content[:a], content[:a] + content[b:], content[a:]))


def twice(draw: random.Random, content):
    a, b = piece(draw, content)
    return content[:b] + content[a:]


def sprinkled(draw: random.Random, content: bytes) -> bytes:
    for _ in range(draw.randint(1, 5)):
        at = draw.randint(0, len(content))
        odd = draw.choice(
            (b"\0", b"\xff", b"\xc3", b'"', b"\r", b"\n", b"\t", b"\x1a", b"\\", b"{")
        )
        content = content[:at] + odd + content[at:]
    return content


def encoded(draw: random.Random, content: bytes) -> bytes:
    text = content.decode("utf-8", "replace")
    name = draw.choice(("utf-16", "utf-8-sig", "latin-1", "utf-32", "cp1252", "shift-jis", "utf-7"))
    return text.encode(name, "replace")


def replaced(draw: random.Random, content: bytes) -> bytes:
    noise = draw.randbytes(draw.randint(0, 300))
    return draw.choice((b"", b"\n", b" ", b"{}", b"[]", b"null\n", b"text,label\n", noise))


ODD = ("", " ", "nan", "-1", "1e999", "99999999999999999999", "\x00", "\u2028", "null", "[]", "{}")
ODD += ("true", "0x10", "١", "½", "a" * 5000, "dog " * 3000, "\u200b", "\ufffd", "_", "1-2", "2.1")
OF_TEXT = (lines_shuffled, columns_shuffled, cell_changed, cell_changed, cut, twice)
OF_BYTES = (cut, twice, sprinkled, encoded, replaced)


def spoilt(draw: random.Random, text: str) -> bytes:
    for _ in range(draw.choice((0, 0, 1, 1, 2))):
        text = draw.choice(OF_TEXT)(draw, text)
    content = text.encode()
    for _ in range(draw.choice((0, 0, 0, 0, 1, 2))):
        content = draw.choice(OF_BYTES)(draw, content)
    return content
