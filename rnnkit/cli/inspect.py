"""`rnnkit inspect`: the look inside a network."""

import click

from rnnkit.cli import (
    inspect_attributions,
    inspect_forward,
    inspect_gradients,
    inspect_states,
    inspect_summary,
)


@click.group("inspect")
def command() -> None:
    """Look inside a network: its layers, its arithmetic, its gradients, its states.

    The numbers are computed from the weights of a run, without TensorFlow. `summary`, `forward`
    and `gradients` also take a configuration file: the network that it describes is then shown
    before any training.

    \b
    Example:
      rnnkit inspect summary
      rnnkit inspect forward configs/tutorials/forward_by_hand.yaml --text hell
      rnnkit inspect gradients --compare cells
    """


for _module in (
    inspect_summary,
    inspect_forward,
    inspect_gradients,
    inspect_states,
    inspect_attributions,
):
    command.add_command(_module.command)
