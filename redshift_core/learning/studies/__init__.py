"""Studies that train many networks: baselines, bench, information limit."""
