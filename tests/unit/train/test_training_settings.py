"""What a config section says of a training."""

from ecgtransfer.train.settings import TrainingSettings

SECTION = {
    "epochs": 3, "min_steps": 0, "patience": 2, "batch_size": 8, "learning_rate": 0.003, "weight_decay": 0.01,
    "schedule": "cosine", "seed": 5,
}  # fmt: skip


def test_section_is_read_without_what_belongs_elsewhere() -> None:
    settings = TrainingSettings.of(SECTION, {"precision": "float32", "deterministic": True})
    assert (settings.epochs, settings.schedule, settings.precision) == (3, "cosine", "float32")
    assert settings.optimizer == "adamw"
    assert not hasattr(settings, "seed")
    assert TrainingSettings.of(SECTION).precision == "auto"
