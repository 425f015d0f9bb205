#!/usr/bin/env python3
"""Every style check finds what it is there to find: small bad trees, and a good one."""

import os
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "cmake"))

import check_file_length  # noqa: E402
import check_includes  # noqa: E402
import check_layers  # noqa: E402
import check_text  # noqa: E402


class ChecksTest(unittest.TestCase):
    def problems(self, check, files):
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as stream:
                    stream.write(text)
            return check.check(root)[0]

    def layer_problem(self, source, include):
        found = self.problems(check_layers, {source: f"#include {include}\n"})
        self.assertLessEqual(len(found), 1)
        return found[0] if found else None

    def test_downward_includes_are_allowed(self):
        for source, include in [
                ("services/edge/hub/hub.cc", '"services/edge/frame/frame.h"'),
                ("services/edge/main.cc", '"services/edge/net/listener.h"'),
                ("services/edge/upstream/link.cc", '"services/edge/hub/hub.h"'),
                ("services/edge/upstream/link.cc", '"spillway/v1/link.grpc.pb.h"'),
                ("services/ingest/kafka/reader.cc", "<librdkafka/rdkafka.h>"),
                ("services/ingest/kafka/reader.cc", '"services/ingest/normalise/record.h"'),
                ("services/edge/net/listener.cc", "<boost/asio/io_context.hpp>"),
                ("common/http/server.cc", '"common/base/clock.h"'),
                ("tests/unit/services/edge/hub/hub_test.cc", '"services/edge/net/listener.h"')]:
            self.assertIsNone(self.layer_problem(source, include), (source, include))

    def test_upward_and_sideward_includes_are_found(self):
        for source, include, reason in [
                ("services/edge/frame/frame.h", '"services/edge/hub/hub.h"', "no layer above"),
                ("services/edge/hub/hub.cc", '"services/edge/session/client.h"', "no layer above"),
                ("services/edge/ws/backlog.cc", '"services/edge/main.h"', "no layer above"),
                ("services/edge/hub/hub.cc", '"services/ingest/link/link.h"', "meet only in proto/"),
                ("services/ingest/history/log.cc", '"services/ingest/kafka/x.h"', "no layer above"),
                ("services/edge/new/x.cc", '"services/edge/frame/frame.h"', "in no layer"),
                ("common/log/log.cc", '"services/edge/hub/hub.h"', "may not depend on a service"),
                ("common/base/clock.h", '"common/log/log.h"', "lowest layer"),
                ("common/base/clock.h", '"spillway/v1/event.pb.h"', "no generated code"),
                ("services/edge/hub/hub.cc", '"tests/support/fake_clock.h"', "may not depend on")]:
            self.assertIn(reason, self.layer_problem(source, include) or "", (source, include))

    def test_libraries_stay_in_their_modules(self):
        for source, include, name in [
                ("services/ingest/link/link.cc", "<librdkafka/rdkafka.h>", "librdkafka"),
                ("services/edge/hub/hub.cc", "<boost/beast/core.hpp>", "Beast"),
                ("services/edge/session/client.cc", "<grpcpp/grpcpp.h>", "gRPC"),
                ("services/edge/hub/hub.cc", '"spillway/v1/admin.grpc.pb.h"', "gRPC"),
                ("services/edge/hub/hub.cc", "<spdlog/spdlog.h>", "spdlog"),
                ("services/ingest/history/log.cc", "<sys/socket.h>", "no input or output")]:
            self.assertIn(name, self.layer_problem(source, include) or "", (source, include))

    def test_a_circle_in_common_is_found(self):
        found = self.problems(check_layers, {
            "common/log/log.h": '#include "common/metrics/metrics.h"\n',
            "common/metrics/metrics.h": '#include "common/log/log.h"\n'})
        self.assertIn("common/log -> common/metrics -> common/log", found[0])

    def test_long_files_are_found(self):
        self.assertEqual(self.problems(check_file_length, {"a/a.cc": "\n" * 400}), [])
        self.assertEqual(len(self.problems(check_file_length, {"a/a.cc": "\n" * 401})), 1)

    def test_includes(self):
        good = {"a/a.h": "#pragma once\n", "proto/spillway/v1/event.proto": "",
                "a/a.cc": '#include "a/a.h"\n\n#include "spillway/v1/event.pb.h"\n'}
        self.assertEqual(self.problems(check_includes, good), [])
        for path, text, reason in [
                ("a/b.h", "int b;\n", "without #pragma once"),
                ("a/b.cc", '#include "a.h"\n', "no file a.h"),
                ("a/b.cc", '#include "spillway/v1/none.pb.h"\n', "no file spillway"),
                ("a/a.cc", '#include "spillway/v1/event.pb.h"\n#include "a/a.h"\n', "own header")]:
            found = self.problems(check_includes, {**good, path: text})
            self.assertEqual(len(found), 1, found)
            self.assertIn(reason, found[0])

    def test_text(self):
        self.assertEqual(self.problems(check_text, {
            "a/a.md": "a network/socket, $HOME/.cache/x, build/ho" "me/x and https://example.com/\n"}), [])
        for text, reason in [
                ("see /wo" "rk/x\n", "path of one machine"),
                ("cd /ho" "me/joe/src\n", "path of one machine"),
                ("index = https://py" "pi.org/simple\n", "package registry"),
                ("// TO" "DO: later\n", "unfinished"),
                ("a \n", "line's end"),
                ("a\r\n", "line's end"),
                ("a", "no line end")]:
            found = self.problems(check_text, {"a/a.txt": text})
            self.assertEqual(len(found), 1, (text, found))
            self.assertIn(reason, found[0])


if __name__ == "__main__":
    unittest.main()
