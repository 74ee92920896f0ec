"""Word2Vec over ports, its versioned models, and senders as vectors."""

from dante.embedding.model import PortModel, load_model, save_model
from dante.embedding.profiles import Profiles, day_profiles, embed_profiles, rarity
from dante.embedding.span import BlockWeights, SenderVectors, sender_vectors
from dante.embedding.train import train_model

__all__ = [
    "BlockWeights",
    "PortModel",
    "Profiles",
    "SenderVectors",
    "day_profiles",
    "embed_profiles",
    "load_model",
    "rarity",
    "save_model",
    "sender_vectors",
    "train_model",
]
