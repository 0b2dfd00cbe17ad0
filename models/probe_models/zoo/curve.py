"""The learning curve of a run, as a figure in its folder."""

import io
from pathlib import Path

from matplotlib.figure import Figure

from probe.plots import learning
from probe_models.files import write_whole
from probe_models.training.run_state import Trained

FILE = "learning_curve.png"


def draw(folder: Path, name: str, trained: Trained) -> None:
    """Draw training and validation loss of each epoch, and what they say."""
    fitting, lines = trained.fitting, trained.lines
    ax = learning(
        [line["epoch"] for line in lines],
        [line["training_loss"] for line in lines],
        [line["validation_loss"] for line in lines],
        kept=trained.best.number,
        title=f"{name}: {fitting.verdict}, gap {fitting.gap:.3f}",
    )
    page, figure = io.BytesIO(), ax.figure
    assert isinstance(figure, Figure)
    figure.savefig(page, format="png", dpi=110, facecolor="white", bbox_inches="tight", metadata={"Software": None})
    write_whole(folder / FILE, page.getvalue())
