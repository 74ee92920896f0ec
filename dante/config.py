"""The settings of a home: what `dante.toml` and `DANTE_*` variables may change.

The paper's own values could not be had, so every default here is ours; the measurement behind
each is in `docs/decisions/`. Settings that change results are part of a day's fingerprint:
change one and the days it touches become stale.
"""

import hashlib
import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from dante.errors import ConfigError

__all__ = [
    "SECTIONS",
    "ClusterSettings",
    "ComputeSettings",
    "ModelSettings",
    "RetentionSettings",
    "Settings",
    "SourceSettings",
    "ThreatSettings",
    "TrackSettings",
    "WebhookSettings",
    "default_home",
    "load_settings",
    "settings_template",
]

SETTINGS_FILE = "dante.toml"

Share = Annotated[float, Field(gt=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelSettings(_Section):
    """How Word2Vec learns the ports."""

    dimensions: int = Field(50, ge=2, le=1000)
    window: int = Field(10, ge=1, le=100, description="words each side that count as company")
    epochs: int = Field(
        20, ge=1, le=1000, description="times the corpus is read, if it is neither small nor large"
    )
    train_words: int = Field(
        2_000_000, ge=1, description="words read at least: a small corpus is read more often"
    )
    train_most_words: int = Field(
        16_000_000,
        ge=1,
        description="words read at most: a large corpus is read less often, then a sample of it",
    )
    negative: int = Field(5, ge=1, le=100)
    min_senders: int = Field(3, ge=1, description="a word fewer senders use gets no vector")
    sentence_words: int = Field(256, ge=2, le=10_000, description="longest sentence")
    train_every: int = Field(7, ge=1, description="days with data between two models")
    train_window: int = Field(30, ge=1, description="days with data a model learns from")
    seed: int = Field(1, ge=0, lt=2**32)
    workers: int = Field(1, ge=1, description="more than 1 is faster and not reproducible")


class ClusterSettings(_Section):
    """When senders are one activity."""

    min_senders: int = Field(5, ge=2, description="the fewest senders that make a cluster")
    radius: float = Field(
        0.2, gt=0, lt=2, description="profiles this near (unit vectors) are never kept apart"
    )
    header_weight: float = Field(
        0.1, ge=0, lt=1, description="what part of a vector's squared length headers make"
    )
    most_profiles: int = Field(
        8000,
        ge=100,
        description="profiles clustered at once; of more the seldom join those they are nearest",
    )
    everyday_share: Share = Field(
        0.01, description="a word this share of senders use counts half in a sender's vector"
    )
    join: Share = Field(
        0.7, description="clusters that are pieces of one activity so probably are joined"
    )


class TrackSettings(_Section):
    """When a cluster continues a track."""

    match: Share = Field(0.5, description="a cluster that so probably is a track continues it")
    fragment: Share = Field(0.3, description="one left over joins the track it so probably is of")
    same_day: Share = Field(
        0.3, description="and so probably is one activity with what continues that track today"
    )
    piece: Share = Field(
        0.5, description="one that so probably is one activity with it joins whatever it was before"
    )
    newborn: Share = Field(
        0.1, description="two clusters that are new, and so probably one activity, are one newborn"
    )
    shared: Share = Field(0.5, description="share of senders that makes a split or merge")
    keep: Share = Field(0.8, description="what a day leaves of what was remembered before")
    few: int = Field(3, ge=1, description="senders by which a track awake is still seen")
    newcomer: int = Field(
        8, ge=1, description="senders that begin a track though they do what another track does"
    )
    like: Share = Field(0.5, description="similarity of ports from which on they do the same")
    window: int = Field(
        14, ge=2, description="days with data whose senders an awake track is known by"
    )
    sleep_after: int = Field(7, ge=1, description="days without senders until a track sleeps")
    end_after: int = Field(
        365, ge=1, description="days without senders until a sleeping track ends"
    )
    merge_after: int = Field(
        2, ge=1, description="days with data a track's senders work for another"
    )

    @model_validator(mode="after")
    def _senders_known_until_asleep(self) -> Self:
        # Who falls asleep is known by a sample of the senders of its last day.
        if self.sleep_after >= self.window:
            raise ValueError("track.sleep_after must be less than track.window")
        return self


class ThreatSettings(_Section):
    """Which births and returns are worth an analyst's time."""

    min_senders: int = Field(8, ge=1)
    min_score: Share = Field(0.5)
    per_day: int = Field(
        3, ge=1, description="the most threats of one day: the highest scores, the rest is held"
    )
    history_days: int = Field(
        3, ge=1, description="in the first so many days everything is new and nothing a threat"
    )
    news_days: int = Field(
        7, ge=0, description="days after its birth or return that a track may become a threat"
    )
    benign: list[str] = Field(
        default_factory=list,
        description="CIDR files, or folders of them, of benign scanners (relative to the home)",
    )


class SourceSettings(_Section):
    """One place packets arrive at; relative paths start at the home."""

    path: str = Field(description="a file, folder or glob, or one of an object store: s3://b/*.gz")
    name: str | None = Field(None, description="what `quality` calls it; else its path")
    format: str = Field("auto", description="a format's name; auto looks at the bytes")
    mapping: str | None = Field(None, description="mapping file of a CSV")
    sensor: str | None = Field(None, description="sensor name where the file has none")
    tz: str | None = Field(None, description="time zone of times without one")
    year: int | None = Field(None, description="year of times without one")
    expected: Literal["day", "end", "no"] = Field(
        "day",
        description="what the daily flow waits for: any packet of the day, one of its last hour or "
        "a later day, or nothing",
    )

    @field_validator("path")
    @classmethod
    def _without_secrets(cls, path: str) -> str:
        return _without_login(path)

    @property
    def label(self) -> str:
        """What people call it."""
        return self.name or self.path


def _without_login(url: str) -> str:
    if "://" in url and "@" in url.split("://", 1)[1].split("/", 1)[0]:
        raise ValueError("no key may stand in an address; give it as AWS_ACCESS_KEY_ID and so on")
    return url


class ArrivalSettings(_Section):
    """How long the daily flow waits for what is late."""

    wait_hours: float = Field(
        6.0,
        ge=0,
        le=240,
        description="hours after the day's end; then it goes on with what is there",
    )
    poll_minutes: float = Field(10.0, gt=0, le=1440, description="minutes between two looks")


class ComputeSettings(_Section):
    """Where a flow's work of many days is done."""

    spread: Literal["processes", "dask"] = Field(
        "processes", description='or "dask": a cluster that sees the same home'
    )
    dask_address: str = Field("", description="of its scheduler; else one of our own, on this box")


class LakeSettings(_Section):
    """Where packets, refused rows and manifests are kept."""

    url: str = Field("", description="s3://bucket/folder; empty: in the home")

    @field_validator("url")
    @classmethod
    def _a_store(cls, url: str) -> str:
        if url and not url.startswith("s3://"):
            raise ValueError("write it as s3://bucket/folder")
        return _without_login(url).rstrip("/")


class RetentionSettings(_Section):
    """How long what was read is kept; lineage stays."""

    packets_days: int = Field(0, ge=0, description="age at which packets are removed; 0: never")
    quarantine_days: int = Field(0, ge=0, description="age of refused rows; 0: never")


class WebhookSettings(_Section):
    """Who is told of threats, besides Prefect's automations."""

    url: SecretStr = Field(SecretStr(""), description="gets a JSON of a day's threats by POST")
    timeout: float = Field(10.0, gt=0, le=300, description="seconds")
    attempts: int = Field(5, ge=1, le=20, description="tries, ever further apart")

    @field_validator("url")
    @classmethod
    def _of_the_web(cls, url: SecretStr) -> SecretStr:
        if url and not url.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("write it as https://…")
        return url


class Settings(BaseSettings):
    """All settings of one home, read from `dante.toml` in it and from `DANTE_*` variables."""

    model_config = SettingsConfigDict(
        env_prefix="DANTE_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    home: Path
    sources: list[SourceSettings] = Field(
        default_factory=list, description="what the daily flow takes in"
    )
    model: ModelSettings = ModelSettings()
    cluster: ClusterSettings = ClusterSettings()
    track: TrackSettings = TrackSettings()
    threat: ThreatSettings = ThreatSettings()
    arrival: ArrivalSettings = ArrivalSettings()
    compute: ComputeSettings = ComputeSettings()
    lake: LakeSettings = LakeSettings()
    retention: RetentionSettings = RetentionSettings()
    webhook: WebhookSettings = WebhookSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the caller says, then the environment, then the file of the home."""
        home = init_settings()["home"]
        return (
            init_settings,
            env_settings,
            TomlConfigSettingsSource(settings_cls, toml_file=Path(home) / SETTINGS_FILE),
        )

    def fingerprint(self) -> str:
        """Hex digest of every setting that can change a day's result."""
        sections = self.model_dump(include={"model", "cluster", "track", "threat"}, mode="json")
        return hashlib.sha256(json.dumps(sections, sort_keys=True).encode()).hexdigest()[:16]


def default_home() -> Path:
    """`DANTE_HOME`, or `dante-home` in the current folder."""
    return Path(os.environ.get("DANTE_HOME") or "dante-home")


def load_settings(home: Path | str | None = None) -> Settings:
    """The settings of a home, which need not exist yet.

    Raises:
        ConfigError: a setting is unknown or out of its bounds, or the file is not TOML.
    """
    folder = Path(home) if home is not None else default_home()
    if "?" in str(folder):
        raise ConfigError(f"{folder} can be no home: DuckDB cannot write below a name with a '?'")
    if (folder / SETTINGS_FILE).is_dir():
        raise ConfigError(f"{folder / SETTINGS_FILE} is a folder, not a file of settings")
    try:
        return Settings(home=folder)
    except ValidationError as error:
        problem: Any = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(
            f"setting {where} of {folder / SETTINGS_FILE} (or its DANTE_ variable) "
            f"is not accepted: {problem['msg'].removeprefix('Value error, ')}"
        ) from None
    except SettingsError as error:
        raise ConfigError(f"a DANTE_ variable is not accepted: {error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{folder / SETTINGS_FILE} is not valid TOML: {error}") from None


SECTIONS: Final = (
    "model", "cluster", "track", "threat", "arrival", "compute", "lake", "retention", "webhook",
)  # fmt: skip
"""The sections of `dante.toml` besides the sources, in the order of the template."""

_TEMPLATE = """\
# Settings of this home. Every line that starts with '#' shows a default; remove the '#' to
# change it. Any of them may also be set as a variable: DANTE_CLUSTER__RADIUS=0.3

# What the daily flow and `dante backfill` take in; a block for each place.
# [[sources]]
# path = "captures/*.csv.gz"     # a file, folder or glob below this folder, or s3://bucket/*.gz
# mapping = "mapping.toml"       # what a CSV's columns are
# sensor = "edge-1"              # sensor name where the files have none
# expected = "end"               # wait for its last hour; "day": for any packet; "no": not at all
"""


def settings_template() -> str:
    """The text of a `dante.toml` that explains every setting and changes none."""
    parts = [_TEMPLATE]
    for name in SECTIONS:
        section = Settings.model_fields[name].annotation
        assert isinstance(section, type) and issubclass(section, _Section)
        parts.append(f"\n# [{name}]")
        for key, field in section.model_fields.items():
            default = field.get_default(call_default_factory=True)
            plain = default.get_secret_value() if isinstance(default, SecretStr) else default
            value = json.dumps(plain)
            said = f"   # {field.description}" if field.description else ""
            parts.append(f"# {key} = {value}{said}")
    return "\n".join(parts) + "\n"
