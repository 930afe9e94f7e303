"""The API of D-ID, so that its clients work here after their base URL is changed."""
