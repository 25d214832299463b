"""What a recipe asks for beyond an ordinary container, and whether that is allowed.

A recipe is untrusted input, deployed as root on the lab's private daemon. `demands_of` judges every
compose file of a stack, after interpolation, before any docker client reads it; `require_trusted`
raises with all that nobody allowed. Whatever is not understood is a demand that nothing allows.
"""

from stamplab.lab.recipe.trust.demand import MEANING, Demand, Grant, require_trusted
from stamplab.lab.recipe.trust.gate import Gate
from stamplab.lab.recipe.trust.judge import demands_of

__all__ = ["MEANING", "Demand", "Gate", "Grant", "demands_of", "require_trusted"]
