"""Elasticsearch 7 and 8, OpenSearch."""

from __future__ import annotations

from enum import Enum

from pyflink.common.typeinfo import PickledBytesTypeInfo, RowTypeInfo
from pyflink.datastream._graph import Edge
from pyflink.datastream.connectors.base import DeliveryGuarantee, Sink, join_list, text
from pyflink.datastream.data_stream import DataStream

# as typing's, without importing it: that costs as much as all of this package
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from typing_extensions import Self

    from pyflink.common.typeinfo import TypeInformation
    from pyflink.datastream._graph import Transformation

__all__ = [
    "Elasticsearch6SinkBuilder",
    "Elasticsearch7SinkBuilder",
    "ElasticsearchEmitter",
    "ElasticsearchSink",
    "FlushBackoffType",
]


class FlushBackoffType(Enum):
    """How long to wait before a retry."""

    CONSTANT = (0,)
    EXPONENTIAL = (1,)
    NONE = (2,)


class ElasticsearchEmitter:
    """Makes index, update and delete actions of records.

    Upstream's emitters take dicts: :meth:`static_index`, :meth:`dynamic_index`. Beyond upstream,
    :meth:`of` takes any Python function, and :meth:`mapping` describes typed rows without calling
        Python at all.
    """

    def __init__(
        self,
        function: Callable[[Any], Any] | None,
        options: dict[str, str] | None = None,
        doc_type: str | None = None,
    ) -> None:
        self._function = function
        self._options = options or {}
        self._doc_type = doc_type

    @staticmethod
    def static_index(
        index: str, key_field: str | None = None, doc_type: str | None = None
    ) -> ElasticsearchEmitter:
        """Every record is a document of one index.

        :param index: the index.
        :param key_field: the field that is the document's id; the server makes one without.
        :param doc_type: for Elasticsearch 6, where it is ``_doc`` when left out; later servers know
            no types, and are told of none.
        """
        if not index:
            raise ValueError("static_index needs the name of an index")
        return ElasticsearchEmitter(_IndexDocument(index, None, key_field), doc_type=doc_type)

    @staticmethod
    def dynamic_index(
        index_field: str, key_field: str | None = None, doc_type: str | None = None
    ) -> ElasticsearchEmitter:
        """Every record is a document of the index one of its fields names.

        :param index_field: the field with the index.
        :param key_field: the field that is the document's id; the server makes one without.
        :param doc_type: as in :meth:`static_index`.
        """
        if not index_field:
            raise ValueError("dynamic_index needs the name of a field")
        return ElasticsearchEmitter(_IndexDocument(None, index_field, key_field), doc_type=doc_type)

    @staticmethod
    def of(function: Callable[[Any], Any]) -> ElasticsearchEmitter:
        """Calls `function` with each record; it returns one action, a list of them, or None.

        An action is a dict: ``{"action": "index" | "create" | "update" | "upsert" | "delete",
        "index": ..., "id": ..., "doc": {...}}``; ``routing``, ``version`` (external) and, for
        updates, ``script`` may be there too. ``action`` is index when left out, ``source`` is
        another name of ``doc``.

        :raises TypeError: when it cannot be called.
        """
        if not callable(function):
            raise TypeError(
                f"ElasticsearchEmitter.of needs a function of one record, got {function!r}"
            )
        return ElasticsearchEmitter(function)

    @staticmethod
    def mapping(
        index: str,
        id: str | None = None,
        action: str | None = None,
        routing: str | None = None,
        version_field: str | None = None,
        exclude_fields: list[str] | None = None,
        ignore_null_fields: bool = False,
    ) -> ElasticsearchEmitter:
        """Typed rows become documents in the engine.

        ``{field}`` in a text stands for the row's value.

        :param index: the index: ``logs-{date}``.
        :param id: the document's id: ``{org_id}_{date}_{url}``; the server makes one without.
        :param action: index, create, update or upsert (with id the default).
        :param routing: the document's routing.
        :param version_field: field with the document's external version.
        :param exclude_fields: fields that are not part of the document.
        :param ignore_null_fields: leaves null fields away instead of writing null.
        """
        options = {"mapping.index": index, "mapping.ignore-null-fields": text(ignore_null_fields)}
        optional = {"id": id, "action": action, "routing": routing, "version-field": version_field}
        options.update(
            {f"mapping.{key}": value for key, value in optional.items() if value is not None}
        )
        if exclude_fields:
            options["mapping.exclude-fields"] = join_list(exclude_fields)
        return ElasticsearchEmitter(None, options)


class _IndexDocument:
    """Upstream's two emitters: a dict (or named row) as it is becomes the document."""

    def __init__(self, index: str | None, index_field: str | None, key_field: str | None) -> None:
        self._index = index
        self._index_field = index_field
        self._key_field = key_field

    def mapping_of(self, type_info: TypeInformation) -> dict[str, str] | None:
        """Options that make the engine write the same documents of rows of this type by itself, or
        None: whatever Python and the engine may write differently stays with Python."""
        if not isinstance(type_info, RowTypeInfo):
            return None
        types = dict(zip(type_info.get_field_names(), type_info.get_field_types(), strict=True))
        named = [f for f in (self._index_field, self._key_field) if f is not None]
        if any(str(types.get(field)) not in _SAME_AS_TEXT for field in named):
            return None
        if any(str(field_type) not in _SAME_IN_JSON for field_type in types.values()):
            return None
        if self._index is not None:
            index = self._index.replace("{", "{{").replace("}", "}}")
        else:
            index = f"{{{self._index_field}}}"
        options = {
            "mapping.index": index,
            "mapping.action": "index",
            "mapping.ignore-row-kinds": "true",
        }
        if self._key_field is not None:
            options["mapping.id"] = f"{{{self._key_field}}}"
        return options

    def __call__(self, element: Any) -> dict[str, Any]:
        document = element if isinstance(element, dict) else _document(element)
        index = self._index if self._index is not None else self._field(document, self._index_field)
        action = {"action": "index", "index": str(index), "doc": document}
        if self._key_field is not None:
            action["id"] = str(self._field(document, self._key_field))
        return action

    @staticmethod
    def _field(document: dict[str, Any], field: Any) -> Any:
        value = document.get(field)
        if value is None:
            raise ValueError(
                f"the Elasticsearch emitter needs the field {field!r}, but the record is"
                f" {document!r}"
            )
        return value


# By what the types print, which is Java's names.
_SAME_AS_TEXT = ("String", "Byte", "Short", "Integer", "Long")
_SAME_IN_JSON = (*_SAME_AS_TEXT, "Boolean")


def _document(element: Any) -> dict[str, Any]:
    as_dict = getattr(element, "as_dict", None)
    if as_dict is None:
        raise TypeError(
            f"the Elasticsearch emitter takes dicts and named rows, got {element!r}; map the stream"
            " to dicts, or use ElasticsearchEmitter.of(function)"
        )
    document: dict[str, Any] = as_dict(True)
    return document


class ElasticsearchSink(Sink):
    """Writes documents. Make one with :class:`Elasticsearch7SinkBuilder`."""

    def __init__(self, options: dict[str, str], emitter: ElasticsearchEmitter) -> None:
        super().__init__("elasticsearch", {**options, **emitter._options})
        self._emitter = emitter

    def _mapping_of(self, stream: DataStream) -> dict[str, str] | None:
        function = self._emitter._function
        return (
            function.mapping_of(stream._type_info) if isinstance(function, _IndexDocument) else None
        )

    def _options_for(self, stream: DataStream) -> dict[str, str]:
        return {**self._options, **(self._mapping_of(stream) or {})}

    def _prepare(self, stream: DataStream, added: list[Transformation]) -> DataStream:
        if self._emitter._function is None or self._mapping_of(stream) is not None:
            return stream
        params = {"function": self._emitter._function}
        node = stream._add(
            "elasticsearch_emitter", "Elasticsearch Emitter", PickledBytesTypeInfo(), params
        )
        added.append(node)
        return DataStream(stream._env, [Edge(node, "forward")], PickledBytesTypeInfo())


class _SinkBuilder:
    """What the builders share. Hosts and an emitter are required."""

    def __init__(self) -> None:
        self._options: dict[str, str] = {}
        self._emitter: ElasticsearchEmitter | None = None

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            from pyflink._spellings import search_sink_method

            return search_sink_method(self, name)

    def _set(self, key: str, value: Any) -> Self:
        self._options[key] = text(value)
        return self

    def set_emitter(self, emitter: ElasticsearchEmitter | Callable[[Any], Any]) -> Self:
        """Makes actions of records.

        :param emitter: an ElasticsearchEmitter, or (beyond upstream) a function as in
            :meth:`ElasticsearchEmitter.of`.
        :raises TypeError: when it is neither.
        """
        if not isinstance(emitter, ElasticsearchEmitter):
            if isinstance(emitter, type) or not callable(emitter):
                raise TypeError(
                    "set_emitter needs an ElasticsearchEmitter or a function of one record, got"
                    f" {emitter!r}"
                )
            emitter = ElasticsearchEmitter.of(emitter)
        self._emitter = emitter
        return self

    def set_hosts(self, hosts: str | list[str]) -> Self:
        """Nodes of the cluster: ``http://host:port`` or just ``host:port``.

        :raises ValueError: when there is none.
        """
        nodes = [hosts] if isinstance(hosts, str) else list(hosts)
        if not nodes:
            raise ValueError("Hosts cannot be empty; use set_hosts(['http://localhost:9200'])")
        for node in nodes:
            if not isinstance(node, str) or not node or any(c.isspace() for c in node):
                raise ValueError(
                    f"set_hosts needs nodes such as 'http://localhost:9200', got {node!r}"
                )
        return self._set("hosts", join_list(nodes))

    def set_delivery_guarantee(self, delivery_guarantee: DeliveryGuarantee) -> Self:
        """NONE or AT_LEAST_ONCE (the default).

        :raises ValueError: for EXACTLY_ONCE; with ids of one's own, writing twice has the effect
            of once.
        """
        if delivery_guarantee is DeliveryGuarantee.EXACTLY_ONCE:
            raise ValueError(
                "Elasticsearch sink does not support the EXACTLY_ONCE guarantee; use AT_LEAST_ONCE"
                " with document ids"
            )
        if not isinstance(delivery_guarantee, DeliveryGuarantee):
            raise TypeError(
                f"set_delivery_guarantee needs a DeliveryGuarantee, got {delivery_guarantee!r}"
            )
        return self._set("delivery-guarantee", delivery_guarantee.name)

    def set_bulk_flush_max_actions(self, num_max_actions: int) -> Self:
        """Sends a request when so many actions are buffered; -1 for no limit."""
        return self._set(
            "bulk-flush.max-actions", _limit(num_max_actions, "set_bulk_flush_max_actions")
        )

    def set_bulk_flush_max_size_mb(self, max_size_mb: int) -> Self:
        """Sends a request when so many MiB are buffered; -1 for no limit."""
        size = _limit(max_size_mb, "set_bulk_flush_max_size_mb")
        return self._set("bulk-flush.max-size-bytes", -1 if size == -1 else size * 1024 * 1024)

    def set_bulk_flush_interval(self, interval_millis: int) -> Self:
        """Sends what is buffered at least so often; -1 for only by size and at checkpoints."""
        return self._set(
            "bulk-flush.interval-ms", _limit(interval_millis, "set_bulk_flush_interval")
        )

    def set_bulk_flush_backoff_strategy(
        self, flush_backoff_type: FlushBackoffType, max_retries: int, delay_millis: int
    ) -> Self:
        """How often and how long after actions are tried again.

        :raises ValueError: for values that are not positive.
        """
        if not isinstance(flush_backoff_type, FlushBackoffType):
            raise TypeError(
                "set_bulk_flush_backoff_strategy needs a FlushBackoffType, got"
                f" {flush_backoff_type!r}"
            )
        if flush_backoff_type is not FlushBackoffType.NONE and (
            max_retries <= 0 or delay_millis < 0
        ):
            raise ValueError(
                f"max_retries must be above 0 and delay_millis not negative, got {max_retries} and"
                f" {delay_millis}"
            )
        self._set("bulk-flush.backoff.type", flush_backoff_type.name)
        self._set("bulk-flush.backoff.max-retries", max_retries)
        return self._set("bulk-flush.backoff.delay-ms", delay_millis)

    def set_connection_username(self, username: str) -> Self:
        """User for basic authentication."""
        return self._set("connection.username", username)

    def set_connection_password(self, password: str) -> Self:
        """Password for basic authentication."""
        return self._set("connection.password", password)

    def set_connection_path_prefix(self, prefix: str) -> Self:
        """Begin of every path, for a cluster behind a proxy."""
        return self._set("connection.path-prefix", prefix)

    def set_connection_request_timeout(self, timeout: int) -> Self:
        """Milliseconds for a whole request."""
        return self._set("connection.request-timeout-ms", timeout)

    def set_connection_timeout(self, timeout: int) -> Self:
        """Milliseconds to establish a connection."""
        return self._set("connection.timeout-ms", timeout)

    def set_socket_timeout(self, timeout: int) -> Self:
        """Milliseconds without a byte after which a request is given up."""
        return self._set("socket.timeout-ms", timeout)

    # -- beyond upstream ---------------------------------------------------------------------------

    def set_api_key(self, api_key: str) -> Self:
        """The encoded API key, instead of user and password."""
        return self._set("api-key", api_key)

    def set_ca_file(self, path: str) -> Self:
        """Certificates to trust, as a PEM file."""
        return self._set("tls.ca-file", path)

    def set_tls_verification(self, verify: bool) -> Self:
        """Whether the server's certificate and name are checked (the default)."""
        return self._set("tls.verify", bool(verify))

    def set_compression(self, compression: str | bool) -> Self:
        """``gzip`` (or True) to compress requests, ``none`` (or False) not to."""
        if isinstance(compression, bool):
            compression = "gzip" if compression else "none"
        return self._set("compression", compression)

    def set_max_in_flight_requests(self, requests: int) -> Self:
        """Requests on their way at once, a subtask."""
        return self._set("max-in-flight-requests", requests)

    def set_max_retry_delay(self, delay_millis: int) -> Self:
        """The longest wait before a retry, in milliseconds."""
        return self._set("bulk-flush.backoff.max-delay-ms", delay_millis)

    def set_failure_handler(self, handler: str, dead_letter_file: str | None = None) -> Self:
        """What happens to an action that is refused for good.

        :param handler: ``fail`` (the default), ``skip`` (and count), or ``dead-letter``.
        :param dead_letter_file: the file for ``dead-letter``, one JSON line an action.
        :raises ValueError: for anything else.
        """
        handler = handler.lower().replace("_", "-")
        if handler not in ("fail", "skip", "dead-letter"):
            raise ValueError(
                f"set_failure_handler needs 'fail', 'skip' or 'dead-letter', got {handler!r}"
            )
        if (handler == "dead-letter") != (dead_letter_file is not None):
            raise ValueError(
                "set_failure_handler: 'dead-letter' and a dead_letter_file go together"
            )
        if dead_letter_file is not None:
            self._set("dead-letter.file", dead_letter_file)
        return self._set("failure-handler", handler)

    def get_http_host_class(self) -> Any:
        """Not available.

        :raises NotSupportedError: always.
        """
        from pyflink._not_yet import not_yet

        raise not_yet("get_http_host_class")

    def build(self) -> ElasticsearchSink:
        """The sink.

        :raises ValueError: when something required is missing.
        """
        if "hosts" not in self._options:
            raise ValueError(
                "Elasticsearch sink: hosts are required; call set_hosts(['http://localhost:9200'])"
            )
        if self._emitter is None:
            raise ValueError(
                "Elasticsearch sink: an emitter is required; call"
                " set_emitter(ElasticsearchEmitter.static_index('name'))"
            )
        return ElasticsearchSink(dict(self._options), self._emitter)


def _limit(value: int, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not (value == -1 or value > 0):
        raise ValueError(f"{what} needs a positive number, or -1 for no limit, got {value!r}")
    return value


class Elasticsearch7SinkBuilder(_SinkBuilder):
    """Builds a sink for Elasticsearch 7 and 8 and OpenSearch."""


class Elasticsearch6SinkBuilder(_SinkBuilder):
    """Builds a sink for Elasticsearch 6, which wants the type of documents.

    The emitter names it (``doc_type``), or :meth:`set_document_type`; it is ``_doc`` otherwise.
    """

    def set_document_type(self, document_type: str) -> Elasticsearch6SinkBuilder:
        """Type of every document, as older releases had it.

        :raises ValueError: when it is no text or empty.
        """
        if not isinstance(document_type, str) or not document_type:
            raise ValueError(
                f"set_document_type needs the name of a type, such as '_doc', got {document_type!r}"
            )
        self._options["document-type"] = document_type
        return self

    def build(self) -> ElasticsearchSink:
        """The sink.

        :raises ValueError: when something required is missing.
        """
        sink = super().build()
        named = self._emitter._doc_type if self._emitter is not None else None
        sink._options.setdefault("document-type", named or "_doc")
        return sink
