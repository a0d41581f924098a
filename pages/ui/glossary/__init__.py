"""Parts of the page Glossary."""
