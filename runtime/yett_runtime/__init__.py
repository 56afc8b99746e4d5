"""The bundled agent runtime will live here. It will talk to the gateway over HTTP only; there is no code yet."""
