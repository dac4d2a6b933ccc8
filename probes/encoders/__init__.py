"""Hugging Face models as layer-wise encoders."""

from probes.encoders.choose import parse_layers as parse_layers
from probes.encoders.encoder import LayerReader as LayerReader
from probes.encoders.image import ImageEncoder as ImageEncoder
from probes.encoders.text import TextEncoder as TextEncoder
