"""TeX to MathML, strictly."""
