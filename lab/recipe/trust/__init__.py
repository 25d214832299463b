"""A recipe's demands beyond an ordinary container, and the judgement whether they are allowed.

A recipe is untrusted input, deployed as root on the lab's private daemon. `demands_of` judges every
compose file of a stack, after interpolation, before any docker client reads it; `require_trusted`
raises RecipeRefused with every demand that is not allowed. A value that cannot be judged is a
demand that nothing allows.
"""

from stamplab.lab.recipe.trust.demand import GRANT_MEANINGS, Demand, Grant, require_trusted
from stamplab.lab.recipe.trust.gate import TrustGate
from stamplab.lab.recipe.trust.judge import demands_of

__all__ = ["GRANT_MEANINGS", "Demand", "Grant", "TrustGate", "demands_of", "require_trusted"]
