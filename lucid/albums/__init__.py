"""Many pictures over many machines: ``lucid album``.

An album is a list of tasks (``task``), each of which is a recipe. What is painted lies in a store
(``store``) under names that follow from the recipes (``album``), so a run can be stopped anywhere
and goes on with what is missing. ``run`` is the loop, over one of two engines: processes of this
machine (``processes``), or a Dask cluster (``cluster``).
"""
