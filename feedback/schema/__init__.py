"""A flow's fields, compiled once into a validator that reports every fault at once."""

from feedback.schema.compiled import Clean, Schema, compile_schema
from feedback.schema.ids import Ids, read_ids
from feedback.schema.spec import STANDARD, FieldSpec, Terms

__all__ = ["STANDARD", "Clean", "FieldSpec", "Ids", "Schema", "Terms", "compile_schema", "read_ids"]
