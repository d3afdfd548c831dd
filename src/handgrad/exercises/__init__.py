"""Exercises that know their answer, and why the usual wrong answers are wrong."""

from handgrad.exercises.exercise import Checker, Exercise, Response

__all__ = ["Checker", "Exercise", "Response"]
