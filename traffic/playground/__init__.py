"""The playground: a person types, one or two deployments answer, through the gateway."""
