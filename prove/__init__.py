"""What only a real account can prove, tried step by step on a stack of its own: `tidemark prove`.

`plan.py` is the list of steps. Each has a claim of the documentation, a way to try it, and the answer that confirms it.
The same list is played against the laptop cloud, so a step that cannot run fails before anybody pays for it.
"""
