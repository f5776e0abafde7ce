"""The five stages: ``run(config, *, track) -> Report`` each; they talk only through artifacts."""
