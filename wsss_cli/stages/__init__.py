"""The stages: ``prepare(config, track)`` checks everything, ``run(config, *, track)`` does it.

Those of the table :mod:`wsss_cli.configs.stages` are modules of their names here; the other
modules are what several of them share. Stages talk to each other only through their results on
the disk. A new one takes little more than ``result_directory`` and ``make`` (:mod:`.result`),
``Share`` and ``pipeline`` (:mod:`.image_loop`), an input of :mod:`.input_kinds` and the ``find_``
functions of :mod:`.inputs`.
"""
