"""Word2Vec over ports, its versioned models, and senders as weighted averages of port vectors."""

from dante.embedding.model import PortModel, load_model, save_model
from dante.embedding.profiles import Profiles, day_profiles, embed_profiles, rarity
from dante.embedding.train import train_model

__all__ = [
    "PortModel",
    "Profiles",
    "day_profiles",
    "embed_profiles",
    "load_model",
    "rarity",
    "save_model",
    "train_model",
]
