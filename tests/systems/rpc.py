"""Calls a gRPC server with plain dicts, by its reflection service, as grpcurl does: no generated code."""

import contextlib
import threading

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase)


class Client:
    """client.call("spillway.v1.AdminService/GetStats", {...}) -> dict; grpc.RpcError where it fails."""

    def __init__(self, address, token=None):
        self._channel = grpc.insecure_channel(address)
        self._metadata = [("authorization", f"Bearer {token}")] if token else []
        self._database = ProtoReflectionDescriptorDatabase(self._channel)
        self._pool = descriptor_pool.DescriptorPool(self._database)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._channel.close()

    def services(self):
        return sorted(self._database.get_services())

    def call(self, method, request=None, timeout=10):
        path, input_class, serializers = self._method(method)
        answer = self._channel.unary_unary(path, *serializers)(
            _message(input_class, request), timeout=timeout, metadata=self._metadata)
        return _dict(answer)

    def stream(self, method, requests, timeout=30):
        """A bidirectional or client stream of requests (dicts); yields the answers as dicts."""
        path, input_class, serializers = self._method(method)
        answers = self._channel.stream_stream(path, *serializers)(
            (_message(input_class, request) for request in requests),
            timeout=timeout, metadata=self._metadata)
        for answer in answers:
            yield _dict(answer)

    def answers(self, method, request=None, timeout=30):
        """One request, and its answers as dicts, as they come; close() of it ends the call."""
        path, input_class, serializers = self._method(method)
        call = self._channel.unary_stream(path, *serializers)(
            _message(input_class, request), timeout=timeout, metadata=self._metadata)
        return Answers(call)

    def _method(self, method):
        service_name, name = method.split("/")
        found = self._pool.FindServiceByName(service_name).methods_by_name[name]
        input_class = message_factory.GetMessageClass(found.input_type)
        output_class = message_factory.GetMessageClass(found.output_type)
        return (f"/{method}", input_class,
                (input_class.SerializeToString, output_class.FromString))


class Answers:
    """Gathers what a call answers."""

    def __init__(self, call):
        self._call = call
        call.initial_metadata()  # the server is at it
        self.messages = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        with contextlib.suppress(grpc.RpcError):
            for answer in self._call:
                self.messages.append(_dict(answer))

    def of(self, **fields):
        """Those that have these fields."""
        return [one for one in list(self.messages) if fields.items() <= one.items()]

    def close(self):
        self._call.cancel()
        self._thread.join(5)


def _message(message_class, values):
    return json_format.ParseDict(values or {}, message_class())


def _dict(message):
    return json_format.MessageToDict(message, preserving_proto_field_name=True)
