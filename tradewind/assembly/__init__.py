"""From a checked run config to live objects; every fault is collected, with the line that it stands on."""

from tradewind.assembly.assemble import assemble
from tradewind.assembly.parts import Assembly, Member

__all__ = ["Assembly", "Member", "assemble"]
