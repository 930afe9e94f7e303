"""The OpenAPI document, generated from the routes and the models that they use.

pydantic makes the schemas. Libraries that make the whole document (spectree, APIFlask,
flask-openapi3) also replace the validation of requests and the answers to errors.
"""
