"""The OpenAPI document, put together from what reads requests and writes answers."""
