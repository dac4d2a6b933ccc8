"""The digit networks of McCoy et al. (2019): an encoder, a decoder, and what they were taught."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from probes.errors import InputError, unknown
from probes.roles.digits.batches import Batch, Digits, by_length
from probes.roles.digits.reading import ENCODERS
from probes.roles.digits.writing import DECODERS


def interleave(sequence: Digits) -> Digits:
    """Put the first, the last, the second, the second-last … one after another."""
    n = len(sequence)
    return [sequence[k // 2] if k % 2 == 0 else sequence[n - 1 - k // 2] for k in range(n)]


TASKS: dict[str, Callable[[Digits], Digits]] = {
    "autoencode": lambda sequence: sequence,
    "reverse": lambda sequence: sequence[::-1],
    "sort": sorted,
    "interleave": interleave,
}
"""What a network is taught to answer a sequence with."""


class Decomposition(Protocol):
    """What says an encoding from the sequence alone (a TPDN)."""

    def predict(self, sequences: Sequence[Digits], /) -> npt.NDArray[Any]:
        """Approximate the encodings, shape (n, width)."""
        ...


class Network(nn.Module):
    """An encoder and a decoder of digit sequences.

    Parameters
    ----------
    encoder : {"uni", "bi", "tree", "bi-published"}
        Which; the last is what the authors' code has for ``bi`` (`PublishedBiEncoder`).
    decoder : {"uni", "bi", "tree"}
        Which.
    task : {"autoencode", "reverse", "sort", "interleave"}
        What it is to answer.
    n_digits : int
        How many digits there are: 0 … n_digits - 1.
    embedding : int
        Width of a digit's embedding.
    hidden : int
        Width of an encoding, even.
    seed : int
        Of the weights that it begins with.

    Raises
    ------
    InputError
        If a name is unknown.

    Notes
    -----
    McCoy, Linzen, Dunbar, Smolensky (2019), arXiv:1812.08718, section 3.
    """

    def __init__(
        self,
        encoder: str,
        decoder: str,
        task: str,
        *,
        n_digits: int = 10,
        embedding: int = 10,
        hidden: int = 60,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for what, came, known in (
            ("encoder", encoder, ENCODERS),
            ("decoder", decoder, DECODERS),
            ("task of a digit network", task, TASKS),
        ):
            if came not in known:
                raise unknown(what, came, known)
        self.names = (encoder, decoder, task)
        self.n_digits = n_digits
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = ENCODERS[encoder](n_digits, embedding, hidden)
            self.decoder = DECODERS[decoder](n_digits, embedding, hidden)
        self.eval()

    def forward(self, batch: Batch) -> Tensor:
        """Answer a batch, with logits of shape (length, n, n_digits)."""
        return self.decoder(self.encoder(batch), batch)

    def right(self, sequence: Digits) -> tuple[int, ...]:
        """Give the right answer to a sequence."""
        return tuple(TASKS[self.names[2]](sequence))

    @torch.inference_mode()
    def encode(self, sequences: Sequence[Digits]) -> npt.NDArray[np.float32]:
        """Encode sequences.

        Parameters
        ----------
        sequences : sequence of sequence of int
            Of any lengths.

        Returns
        -------
        ndarray of shape (n, hidden), float32
            One row a sequence.

        Raises
        ------
        InputError
            If a sequence is empty, or an item is no digit.
        """
        encodings = torch.zeros(len(sequences), self.hidden)
        for rows, batch in by_length(sequences, self.n_digits):
            encodings[rows] = self.encoder(batch)
        return encodings.numpy()

    @torch.inference_mode()
    def decode(
        self, Z: npt.NDArray[Any], like: Sequence[Digits] | Sequence[int]
    ) -> list[tuple[int, ...]]:
        """Decode encodings, of whatever origin.

        Parameters
        ----------
        Z : ndarray of shape (n, hidden)
            One row a sequence.
        like : sequence of sequence of int, or of int
            The sequences that are encoded, or their lengths. A tree decoder goes down the
            sequence's own tree, so it needs the sequences.

        Returns
        -------
        list of tuple of int
            The likeliest digits, as many as the sequence has.

        Raises
        ------
        InputError
            If there is not one sequence a row, or a tree decoder is given lengths.
        """
        if np.shape(Z) != (len(like), self.hidden):
            raise InputError(
                f"encodings of shape {np.shape(Z)} for {len(like)} sequences; expected "
                f"{(len(like), self.hidden)}"
            )
        encodings = torch.from_numpy(np.asarray(Z, dtype=np.float32))
        decoded: list[tuple[int, ...]] = [()] * len(like)
        for rows, batch in by_length(self._sequences(like), self.n_digits):
            best = self.decoder(encodings[rows], batch).argmax(2).T.tolist()
            for row, digits in zip(rows, best, strict=True):
                decoded[row] = tuple(digits)
        return decoded

    def _sequences(self, like: Sequence[Any]) -> Sequence[Digits]:
        if not all(isinstance(item, (int, np.integer)) for item in like):
            return like
        if self.decoder.needs_tree:
            raise InputError(
                "a tree decoder was given lengths; give it the sequences, whose trees it follows"
            )
        return [(0,) * int(length) for length in like]

    @property
    def hidden(self) -> int:
        """Width of an encoding."""
        return self.decoder.out.in_features

    def accuracy(self, sequences: Sequence[Digits]) -> float:
        """Measure the share of sequences that are answered exactly right."""
        return _share_right(self, self.encode(sequences), sequences)


def substitution_accuracy(
    network: Network, decomposition: Decomposition, sequences: Sequence[Digits]
) -> float:
    """Measure how well the decoder does with a decomposition in the encoder's place.

    Parameters
    ----------
    network : Network
        Whose decoder reads.
    decomposition : Decomposition
        What says the encodings.
    sequences : sequence of sequence of int
        Of any lengths.

    Returns
    -------
    float
        The share of sequences that are answered exactly right, by the task's own rule: what the
        network makes of its own encodings does not enter.
    """
    return _share_right(network, decomposition.predict(sequences), sequences)


def renumbered_accuracy(
    network: Network, decomposition: Decomposition, sequences: Sequence[Digits], *, draws: int = 5
) -> float:
    """Measure substitution where a tree decoder goes down the trees of digits renumbered.

    What the published figures of tree decoders look like, of all schemes but the tree's own: as if
    the trees had been made of the digits' numbers in a vocabulary, and not of their values.

    Parameters
    ----------
    network, decomposition, sequences
        As of `substitution_accuracy`; the decoder is a tree.
    draws : int
        How many random vocabularies, from seeds 0, 1, ….

    Returns
    -------
    float
        The mean share of right answers over the draws.
    """
    Z = decomposition.predict(sequences)
    shares = []
    for seed in range(draws):
        number = np.random.default_rng(seed).permutation(network.n_digits).tolist()
        others = [tuple(number[digit] for digit in sequence) for sequence in sequences]
        shares.append(_share_right(network, Z, sequences, others))
    return float(np.mean(shares))


def _share_right(
    network: Network,
    Z: npt.NDArray[Any],
    sequences: Sequence[Digits],
    like: Sequence[Digits] | None = None,
) -> float:
    decoded = network.decode(Z, sequences if like is None else like)
    pairs = zip(decoded, sequences, strict=True)
    return float(np.mean([answer == network.right(sequence) for answer, sequence in pairs]))


def load_published(folder: str | Path) -> Network:
    """Load the network that McCoy et al. (2019) published: uni/uni, an autoencoder.

    Parameters
    ----------
    folder : str or Path
        With their ``encoder_example.weights`` and ``decoder_example.weights``.

    Returns
    -------
    Network
        With their weights.

    Raises
    ------
    InputError
        If a file is not there, or holds other weights.
    """
    network = Network("uni", "uni", "autoencode")
    for half, module in (("encoder", network.encoder), ("decoder", network.decoder)):
        path = Path(folder) / f"{half}_example.weights"
        if not path.is_file():
            raise InputError(f"no weights {path}; give the folder that holds the published ones")
        theirs = torch.load(path, map_location="cpu", weights_only=True)
        ours = {name.replace("rnn.", "gru."): tensor for name, tensor in theirs.items()}
        try:
            module.load_state_dict(ours)
        except RuntimeError as error:
            raise InputError(
                f"{path} holds other weights: {' '.join(str(error).split())}"
            ) from None
    return network
