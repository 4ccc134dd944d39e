"""What makes the device of each era read the host's inputs again.

In a traced step that follows another one, the device feeds itself. What makes it read the host
again differs: in B a changed page table, so `prev_page_table` is cleared (late ones have a
`reset_batch`, but only their sampler heeds it); in C `reset_batch`, which keeps the device's own
token wherever its position fits, but for rows that were prefilled since the last decode; in D four
commands (tt-metal `models/common/decode_contract.py`). 0 and A are never asked to choose: their one
trace holds logits or tokens, not both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttdirect.engine.eras import Era, known

if TYPE_CHECKING:
    from ttdirect.engine.eras import Interface


def reloads(
    interface: Interface,
    generator: Any,
    *,
    samples: bool,
    follows: bool,
    feeds_itself: bool,
    has_new_table: bool,
) -> dict[str, bool]:
    """Have the device read the host's inputs again in a step, where it has to.

    Args:
        interface: of the Generator.
        generator: era B's forgets its page table here.
        samples: whether the device chooses the tokens of the step.
        follows: whether it goes on with the step before it: same requests, nobody prefilled.
        feeds_itself: whether the device has tokens and positions already.
        has_new_table: whether the page table is another one than in the step before.

    Returns:
        Arguments of the step's decode.
    """
    if interface.era is Era.D:
        # All four, always: a default, where a version has one, means to reload everything.
        # Never both of the first two; the last implies the first.
        return {
            "reload_inputs": not feeds_itself,
            "reload_page_table": feeds_itself and has_new_table,
            "reload_sampling_params": samples and not follows,
            "reset_sampling_state": samples and not follows,
        }
    if not samples:
        return {}
    if interface.era is Era.B and not follows:
        generator.prev_page_table = None
    return known({"reset_batch": not follows}, interface.decode_names)
