class TLSConfig:
    def __init__(
        self,
        client_cert: tuple[str, str] | None = ...,
        ca_cert: str | None = ...,
        verify: bool | str | None = ...,
    ) -> None: ...
