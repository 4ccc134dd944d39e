from hypothesis import HealthCheck, settings

# The same examples on every machine, however busy that is. Here, and not in a fixture, because
# `given` looks at the settings when the tests are read.
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
settings.load_profile("steady")
