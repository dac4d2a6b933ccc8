"""Whether a sentence is about rain: a plug-in, and some that are wrong."""

from dataclasses import dataclass

from probes.task import Task, sentence_task


@dataclass
class Weather:
    """Sentences about the weather."""

    city: str
    """Where it is."""
    days: int = 40
    """How many sentences."""

    def load(self) -> list[Task]:
        """Write them."""
        kinds = ["rain", "sun"]
        texts = [f"{kinds[day % 2]} in {self.city} on day {day}" for day in range(self.days)]
        splits = [("train", "train", "dev", "test")[day // 2 % 4] for day in range(self.days)]
        labels = [kinds[day % 2] for day in range(self.days)]
        return [sentence_task(texts, labels, splits=splits, name="weather", labelling="kind")]


@dataclass
class Hail:
    """It has no method load."""


@dataclass
class Fog:
    """Its option has a name that is taken."""

    name: str = ""

    def load(self) -> list[Task]:
        """Load nothing."""
        return []


def calm() -> None:
    """Be no dataclass."""
