import requests

class DockerException(Exception): ...

class APIError(requests.exceptions.HTTPError, DockerException):
    explanation: str | None
    def __init__(
        self,
        message: str,
        response: requests.Response | None = ...,
        explanation: str | None = ...,
    ) -> None: ...

class NotFound(APIError): ...
