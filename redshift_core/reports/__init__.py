"""What leaves the product: HTML documents, tables of bench, the dissertation again."""
