"""What the tables of schema `queue` are collected in."""

from sqlalchemy import MetaData

metadata = MetaData(schema="queue")
