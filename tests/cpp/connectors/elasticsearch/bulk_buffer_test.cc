#include "connectors/elasticsearch/bulk_buffer.h"

#include "connectors/elasticsearch/bulk_request.h"
#include "connectors/elasticsearch/host_pool.h"
#include "connectors/elasticsearch/json_merge.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace flott {
namespace {

constexpr std::int64_t kNoLimit = -1;

BulkAction action(ActionKind kind, std::string id, std::string source = "") {
  BulkAction out;
  out.kind = kind;
  out.index = "i";
  out.id = std::move(id);
  out.source = std::move(source);
  return out;
}
BulkAction index(std::string id, std::string source) {
  return action(ActionKind::kIndex, std::move(id), std::move(source));
}
BulkAction create(std::string id, std::string source) {
  return action(ActionKind::kCreate, std::move(id), std::move(source));
}
BulkAction update(std::string id, std::string source) {
  return action(ActionKind::kUpdate, std::move(id), std::move(source));
}
BulkAction upsert(std::string id, std::string source) {
  return action(ActionKind::kUpsert, std::move(id), std::move(source));
}
BulkAction remove(std::string id) {
  return action(ActionKind::kDelete, std::move(id));
}
BulkAction scripted(std::string id, std::string script) {
  BulkAction out = upsert(std::move(id), "");
  out.script = std::move(script);
  return out;
}
BulkAction versioned(BulkAction a, std::int64_t version) {
  a.version = version;
  return a;
}

std::string text(const std::vector<BulkDocument*>& documents) {
  std::string out;
  for (const BulkDocument* const document : documents) {
    const BulkAction& a = document->action;
    out += (out.empty() ? "" : " ") + std::string(to_string(a.kind)) + ":" + a.id.value_or("-") +
           a.source + a.script + (a.version ? "@" + std::to_string(*a.version) : "");
  }
  return out;
}

/// What goes out, request by request, each settled before the next.
std::string sent(std::vector<BulkAction> added) {
  BulkBuffer buffer;
  for (BulkAction& a : added) {
    buffer.add(std::move(a));
  }
  std::string out;
  while (!buffer.empty()) {
    const std::vector<BulkDocument*> taken = buffer.take(kNoLimit, kNoLimit, 0);
    EXPECT_FALSE(taken.empty());
    out += (out.empty() ? "" : " | ") + text(taken);
    for (BulkDocument* const document : taken) {
      buffer.settle(*document);
    }
  }
  EXPECT_EQ(buffer.waiting_bytes(), 0U);
  EXPECT_EQ(buffer.out_bytes(), 0U);
  return out;
}

TEST(BulkBuffer, CombinesActionsOfOneDocument) {
  const std::string a = R"({"a":1})";
  const std::string b = R"({"b":2})";
  EXPECT_EQ(sent({index("1", a), index("2", a), index("1", b)}),
            "index:1{\"b\":2} index:2{\"a\":1}");
  EXPECT_EQ(sent({index("1", a), remove("1")}), "delete:1");
  EXPECT_EQ(sent({remove("1"), index("1", b)}), "index:1{\"b\":2}");
  EXPECT_EQ(sent({upsert("1", a), index("1", b)}), "index:1{\"b\":2}");
  EXPECT_EQ(sent({index("1", a), update("1", b)}), R"(index:1{"a":1,"b":2})");
  EXPECT_EQ(sent({index("1", a), upsert("1", b)}), R"(index:1{"a":1,"b":2})");
  EXPECT_EQ(sent({upsert("1", a), upsert("1", R"({"a":3})"), update("1", b)}),
            R"(upsert:1{"a":3,"b":2})");
  EXPECT_EQ(sent({update("1", a), update("1", b)}), R"(update:1{"a":1,"b":2})");
  EXPECT_EQ(sent({remove("1"), upsert("1", b)}), "index:1{\"b\":2}");
}

TEST(BulkBuffer, KeepsApartWhatWouldEndDifferently) {
  const std::string a = R"({"a":1})";
  const std::string b = R"({"b":2})";
  EXPECT_EQ(sent({update("1", a), upsert("1", b)}), R"(update:1{"a":1} | upsert:1{"b":2})");
  EXPECT_EQ(sent({remove("1"), update("1", b)}), R"(delete:1 | update:1{"b":2})");
  EXPECT_EQ(sent({index("1", a), create("1", b)}), R"(index:1{"a":1} | create:1{"b":2})");
  EXPECT_EQ(sent({create("1", a), index("1", b)}), R"(create:1{"a":1} | index:1{"b":2})");
  EXPECT_EQ(sent({scripted("1", "x"), scripted("1", "x"), upsert("1", a)}),
            R"(upsert:1x | upsert:1x | upsert:1{"a":1})");
  EXPECT_EQ(sent({upsert("1", a), scripted("1", "x"), upsert("2", a)}),
            R"(upsert:1{"a":1} upsert:2{"a":1} | upsert:1x)");
  EXPECT_EQ(sent({upsert("1", "[]"), upsert("1", a)}), R"(upsert:1[] | upsert:1{"a":1})");
}

TEST(BulkBuffer, OlderExternalVersionsLose) {
  EXPECT_EQ(sent({versioned(index("1", "{}"), 5), versioned(index("1", R"({"a":1})"), 4)}),
            "index:1{}@5");
  EXPECT_EQ(sent({versioned(index("1", "{}"), 5), versioned(remove("1"), 6)}), "delete:1@6");
  EXPECT_EQ(sent({versioned(index("1", "{}"), 5), index("1", R"({"a":1})")}),
            R"(index:1{}@5 | index:1{"a":1})");
}

TEST(BulkBuffer, NeverCombinesActionsWithoutId) {
  BulkAction one = index("", "{}");
  one.id.reset();
  EXPECT_EQ(sent({one, one}), "index:-{} index:-{}");
}

TEST(BulkBuffer, RoutingAndIndexArePartsOfTheDocument) {
  BulkAction routed = index("1", R"({"r":1})");
  routed.routing = "r";
  BulkAction elsewhere = index("1", R"({"j":1})");
  elsewhere.index = "j";
  EXPECT_EQ(sent({index("1", "{}"), routed, elsewhere}),
            R"(index:1{} index:1{"r":1} index:1{"j":1})");
}

TEST(BulkBuffer, ADocumentThatIsOutIsNotSentAgainUntilItIsSettled) {
  BulkBuffer buffer;
  buffer.add(upsert("1", R"({"a":1})"));
  std::vector<BulkDocument*> first = buffer.take(kNoLimit, kNoLimit, 0);
  buffer.add(upsert("1", R"({"b":1})"));
  buffer.add(upsert("2", R"({"c":1})"));
  buffer.add(upsert("1", R"({"b":2})"));
  EXPECT_EQ(text(buffer.take(kNoLimit, kNoLimit, 0)), R"(upsert:2{"c":1})");
  EXPECT_EQ(buffer.deduplicated(), 1);

  buffer.retry(*first[0], 100);
  EXPECT_TRUE(buffer.take(kNoLimit, kNoLimit, 99).empty());
  EXPECT_EQ(buffer.next_retry_ns(), 100);
  first = buffer.take(kNoLimit, kNoLimit, 100);
  EXPECT_EQ(text(first), R"(upsert:1{"a":1})");
  EXPECT_EQ(buffer.next_retry_ns(), BulkBuffer::kNever);
  buffer.settle(*first[0]);
  EXPECT_EQ(text(buffer.take(kNoLimit, kNoLimit, 0)), R"(upsert:1{"b":2})");
  EXPECT_FALSE(buffer.empty());
}

TEST(BulkBuffer, TakesUpToTheLimitsButAtLeastOne) {
  BulkBuffer buffer;
  for (int i = 0; i < 5; ++i) {
    buffer.add(index(std::to_string(i), R"({"a":1})"));
  }
  EXPECT_EQ(buffer.take(2, kNoLimit, 0).size(), 2U);
  EXPECT_EQ(buffer.take(kNoLimit, 1, 0).size(), 1U);
  EXPECT_EQ(buffer.take(kNoLimit, 10'000, 0).size(), 2U);
  EXPECT_EQ(buffer.out_actions(), 5U);
}

TEST(BulkBuffer, KeepsThousandsOfDocumentsApart) {
  constexpr int kDocuments = 5000;
  BulkBuffer buffer;
  BulkAction scratch;
  for (int round = 0; round < 3; ++round) {  // from the second on in memory used before
    for (int write = 0; write < 2; ++write) {
      for (int i = 0; i < kDocuments; ++i) {
        scratch = index(std::to_string(i), "{\"w\":" + std::to_string(write) + "}");
        scratch.index = i % 2 == 0 ? "even" : "odd";
        buffer.add(std::move(scratch));
      }
    }
    EXPECT_EQ(buffer.waiting_actions(), static_cast<std::size_t>(kDocuments));
    const std::vector<BulkDocument*> taken = buffer.take(kNoLimit, kNoLimit, 0);
    ASSERT_EQ(taken.size(), static_cast<std::size_t>(kDocuments));
    for (int i = 0; i < kDocuments; ++i) {
      const BulkAction& action = taken[static_cast<std::size_t>(i)]->action;
      EXPECT_EQ(action.id, std::to_string(i));
      EXPECT_EQ(action.source, R"({"w":1})");
      EXPECT_EQ(action.index, i % 2 == 0 ? "even" : "odd");
      buffer.settle(*taken[static_cast<std::size_t>(i)]);
    }
    EXPECT_TRUE(buffer.empty());
    EXPECT_EQ(buffer.deduplicated(), (round + 1) * kDocuments);
  }
}

TEST(JsonMerge, MergesObjectsAsElasticsearch) {
  EXPECT_EQ(merge_json_objects(R"({"a":1})", R"({"b":2})"), R"({"a":1,"b":2})");
  EXPECT_EQ(merge_json_objects(R"({"a":{"x":1,"y":[1]},"b":1})", R"({"a":{"y":[2],"z":{}}})"),
            R"({"a":{"x":1,"y":[2],"z":{}},"b":1})");
  EXPECT_EQ(merge_json_objects(R"({"a":{"x":1}})", R"({"a":null})"), R"({"a":null})");
  EXPECT_EQ(merge_json_objects(R"({"a":1})", R"({"a":{"x":1}})"), R"({"a":{"x":1}})");
  EXPECT_EQ(merge_json_objects("{}", "{}"), "{}");
  EXPECT_EQ(merge_json_objects(" { } ", R"( { "a" : 12345678901234567890.10 } )"),
            R"({"a":12345678901234567890.10})");
  EXPECT_EQ(merge_json_objects(R"({"a":"}\","})", R"({"b":"{"})"), R"({"a":"}\",","b":"{"})");
  EXPECT_EQ(merge_json_objects("{}", R"({"a":1,"a":2})"), R"({"a":2})");
  for (const char* const bad : {"",
                                "[]",
                                "1",
                                "{",
                                R"({"a")",
                                R"({"a":})",
                                R"({"a":1)",
                                R"({"a":1,})",
                                R"({"a":"x})",
                                R"({} x)"}) {
    EXPECT_EQ(merge_json_objects(bad, "{}"), std::nullopt) << bad;
    EXPECT_EQ(merge_json_objects("{}", bad), std::nullopt) << bad;
  }
}

TEST(BulkRequest, NamesTheTypeOfDocumentsWhereOneIsWanted) {
  std::string out;
  append_bulk_action(index("1", "{}"), "a \"type\"", out);
  append_bulk_action(remove("1"), "_doc", out);
  EXPECT_EQ(out,
            "{\"index\":{\"_index\":\"i\",\"_type\":\"a \\\"type\\\"\",\"_id\":\"1\"}}\n{}\n"
            "{\"delete\":{\"_index\":\"i\",\"_type\":\"_doc\",\"_id\":\"1\"}}\n");
}

TEST(BulkRequest, WritesEachActionAsItsLines) {
  const auto lines = [](const BulkAction& a) {
    std::string out;
    append_bulk_action(a, "", out);
    return out;
  };
  BulkAction routed = versioned(index("a\"b", "{\n}"), 7);
  routed.routing = "r";
  EXPECT_EQ(lines(routed),
            "{\"index\":{\"_index\":\"i\",\"_id\":\"a\\\"b\",\"routing\":\"r\",\"version\":7,"
            "\"version_type\":\"external\"}}\n{ }\n");
  EXPECT_EQ(lines(create("1", "{}")), "{\"create\":{\"_index\":\"i\",\"_id\":\"1\"}}\n{}\n");
  EXPECT_EQ(lines(remove("1")), "{\"delete\":{\"_index\":\"i\",\"_id\":\"1\"}}\n");
  EXPECT_EQ(
      lines(update("1", "{}")),
      "{\"update\":{\"_index\":\"i\",\"_id\":\"1\",\"retry_on_conflict\":3}}\n{\"doc\":{}}\n");
  EXPECT_EQ(lines(upsert("1", "{}")),
            "{\"update\":{\"_index\":\"i\",\"_id\":\"1\",\"retry_on_conflict\":3}}\n{\"doc\":{},"
            "\"doc_as_upsert\":true}\n");
  BulkAction script = scripted("1", "ctx._source.n += params.n");
  script.source = R"({"n":1})";
  EXPECT_EQ(lines(script),
            "{\"update\":{\"_index\":\"i\",\"_id\":\"1\",\"retry_on_conflict\":3}}\n"
            "{\"script\":{\"lang\":\"painless\",\"source\":\"ctx._source.n += "
            "params.n\"},\"upsert\":{\"n\":1}}\n");
  script.kind = ActionKind::kUpdate;
  EXPECT_EQ(lines(script),
            "{\"update\":{\"_index\":\"i\",\"_id\":\"1\",\"retry_on_conflict\":3}}\n"
            "{\"script\":{\"lang\":\"painless\",\"source\":\"ctx._source.n += "
            "params.n\",\"params\":{\"n\":1}}}\n");
}

TEST(BulkRequest, ReadsTheStatusOfEveryItem) {
  BulkResponseParser parser;
  const auto parse = [&](std::string body) { return parser.parse(body); };
  const BulkResponse* const response = parse(
      R"({"took":3,"errors":true,"items":[{"index":{"status":201}},{"update":{"status":400,"error":{"type":"t","reason":"r","caused_by":{"reason":"c"}}}}]})");
  ASSERT_NE(response, nullptr);
  EXPECT_EQ(response->took_ms, 3);
  ASSERT_EQ(response->items.size(), 2U);
  EXPECT_EQ(response->items[0].status, 201);
  EXPECT_EQ(response->items[1].error_type, "t");
  EXPECT_EQ(response->items[1].reason, "r: c");
  for (const char* const bad : {"",
                                "{}",
                                "<html>",
                                R"({"items":[{"index":{"status":201}})",
                                R"({"items":[{"index":{"status":201}}]} x)",
                                R"({"items":[1]})",
                                R"({"items":[{"index":{}}]})",
                                R"({"items":[{}]})"}) {
    EXPECT_EQ(parse(bad), nullptr) << bad;
  }
  const BulkResponse* const next = parse(
      R"({"items":[{"delete":{"status":404}},{"index":{"error":{"reason":"r"},"status":429}},{"index":{"status":200}}]})");
  ASSERT_NE(next, nullptr) << "what an answer before left does not show";
  EXPECT_EQ(next->took_ms, 0);
  ASSERT_EQ(next->items.size(), 3U);
  EXPECT_EQ(next->items[0].error_type + next->items[0].reason, "");
  EXPECT_EQ(next->items[1].status, 429);
  EXPECT_EQ(next->items[1].reason, "r");
  EXPECT_EQ(next->items[2].reason, "");
  EXPECT_EQ(error_reason(R"({"error":{"type":"security_exception","reason":"no"},"status":401})"),
            "security_exception: no");
  EXPECT_EQ(error_reason(R"({"error":"plain"})"), "plain");
  EXPECT_EQ(error_reason("<html>"), "<html>");
}

TEST(BulkRequest, ClassifiesOutcomes) {
  const auto outcome = [](const BulkAction& a, int status, const char* type = "") {
    return classify(a, {status, type, ""});
  };
  EXPECT_EQ(outcome(index("1", "{}"), 200), ItemOutcome::kDone);
  EXPECT_EQ(outcome(index("1", "{}"), 201), ItemOutcome::kDone);
  EXPECT_EQ(outcome(remove("1"), 404), ItemOutcome::kDone);
  EXPECT_EQ(outcome(remove("1"), 404, "index_not_found_exception"), ItemOutcome::kDone);
  EXPECT_EQ(outcome(update("1", "{}"), 404), ItemOutcome::kRefused);
  EXPECT_EQ(outcome(index("1", "{}"), 400), ItemOutcome::kRefused);
  EXPECT_EQ(outcome(index("1", "{}"), 429), ItemOutcome::kRetry);
  EXPECT_EQ(outcome(index("1", "{}"), 503), ItemOutcome::kRetry);
  EXPECT_EQ(outcome(update("1", "{}"), 409), ItemOutcome::kRetry);
  EXPECT_EQ(outcome(versioned(index("1", "{}"), 1), 409), ItemOutcome::kObsolete);
  EXPECT_EQ(outcome(create("1", "{}"), 409), ItemOutcome::kRefused);
  BulkAction again = create("1", "{}");
  again.retries = 1;
  EXPECT_EQ(classify(again, {409, "", ""}), ItemOutcome::kRefused) << "it was refused before";
  again.maybe_stored = true;
  EXPECT_EQ(classify(again, {409, "", ""}), ItemOutcome::kDone) << "its answer was lost before";
}

TEST(HostPool, TakesTurnsAndLeavesDeadHostsOut) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  HostPool hosts({"a", "b", "c"});
  EXPECT_EQ(hosts.pick(0), 0U);
  EXPECT_EQ(hosts.pick(0), 1U);
  hosts.mark_dead(2, 0);
  EXPECT_EQ(hosts.pick(0), 0U);
  EXPECT_EQ(hosts.pick(0), 1U);
  EXPECT_EQ(hosts.pick(kSecond), 2U);
  hosts.mark_dead(2, kSecond);  // again: twice as long
  EXPECT_EQ(hosts.pick(2 * kSecond), 0U);
  hosts.mark_dead(0, 2 * kSecond);
  hosts.mark_dead(1, 2 * kSecond);
  EXPECT_TRUE(hosts.all_dead());
  EXPECT_NE(hosts.pick(2 * kSecond), 3U);
  hosts.mark_alive(0);
  EXPECT_FALSE(hosts.all_dead());
}

}  // namespace
}  // namespace flott
