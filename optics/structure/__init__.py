"""From a phase to a structure: which meta-atom stands at which site, and what that does to light."""
