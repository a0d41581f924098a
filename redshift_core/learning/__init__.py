"""All that needs TensorFlow: models, training, tuning, explaining, studies."""
