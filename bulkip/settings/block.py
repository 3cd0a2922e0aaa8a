"""What every mapping of a job file has in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from bulkip.settings import fields as f


class Block(BaseModel):
    """A mapping of the job file: unknown keys are refused, null means not set."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False, defer_build=True)

    @classmethod
    def known_keys(cls) -> list[str]:
        """Return the keys as they stand in YAML."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, node: Any) -> Any:
        entries = f.mapping(node, "keys to values")
        known = entries.keys() if cls.model_config.get("extra") == "allow" else cls.known_keys()
        return {key: value for key, value in entries.items() if value is not None or key not in known}
