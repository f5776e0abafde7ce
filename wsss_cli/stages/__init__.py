"""The five stages: one ``run(config, *, track) -> Report`` each; they talk only through artifacts."""
