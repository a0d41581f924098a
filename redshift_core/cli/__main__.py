"""``python -m redshift_core.cli``, for where the ``redshift-lab`` script is not on the path."""

from redshift_core.cli import main

main()
