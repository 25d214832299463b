"""The discourse incident: the recipe, the four plays, and the report's claims about them."""
