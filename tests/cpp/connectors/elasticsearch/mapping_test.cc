#include "base/error.h"
#include "connectors/elasticsearch/elasticsearch_mapping.h"
#include "connectors/elasticsearch/elasticsearch_options.h"
#include "connectors/elasticsearch/elasticsearch_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flott {
namespace {

using testing::HasSubstr;

LogicalTypePtr counts() {
  const LogicalTypePtr text = LogicalType::of(TypeKind::kString);
  return LogicalType::row({"org_id", "date", "url", "count", "tags"},
                          {text,
                           LogicalType::of(TypeKind::kDate),
                           text,
                           LogicalType::of(TypeKind::kBigInt),
                           LogicalType::array(text)});
}

BatchPtr one_row(RowKind kind = RowKind::kInsert,
                 bool null_url = false,
                 const char* url = "/v1_test") {
  BatchBuilder builder(counts());
  builder.column(0).append_string("org1");
  builder.column(1).append_int(20228);
  if (null_url) {
    builder.column(2).append_null();
  } else {
    builder.column(2).append_string(url);
  }
  builder.column(3).append_int(7);
  builder.column(4).append_null();
  builder.end_row(kNoTimestamp, kind);
  return builder.finish();
}

std::vector<BulkAction> mapped(const std::map<std::string, std::string>& options,
                               const BatchPtr& batch) {
  ElasticsearchMapping mapping(
      std::make_shared<const ElasticsearchMappingConfig>(Options(options), counts()));
  // One more than needed, and used before: nothing of it may show.
  std::vector<BulkAction> actions(2);
  for (BulkAction& used : actions) {
    used.kind = ActionKind::kDelete;
    used.index = used.source = used.script = "used";
    used.id = used.routing = "used";
    used.version = 99;
    used.retries = 3;
    used.maybe_stored = true;
  }
  actions.resize(mapping.map(*batch, actions));
  for (const BulkAction& action : actions) {
    EXPECT_EQ(action.script, "");
    EXPECT_EQ(action.retries, 0);
    EXPECT_FALSE(action.maybe_stored);
  }
  return actions;
}

std::string error_of(const std::map<std::string, std::string>& options,
                     const BatchPtr& batch = one_row()) {
  try {
    mapped(options, batch);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(ElasticsearchMapping, MakesUpsertsWithIdsOutOfFields) {
  const std::vector<BulkAction> actions = mapped(
      {{"index", "url_counts-{date}"}, {"id", "{org_id}_{date}_{url}"}, {"routing", "{org_id}"}},
      one_row());
  ASSERT_EQ(actions.size(), 1U);
  EXPECT_EQ(actions[0].kind, ActionKind::kUpsert);
  EXPECT_EQ(actions[0].index, "url_counts-2025-05-20");
  EXPECT_EQ(actions[0].id, "org1_2025-05-20_/v1_test");
  EXPECT_EQ(actions[0].routing, "org1");
  EXPECT_EQ(actions[0].source,
            R"({"org_id":"org1","date":"2025-05-20","url":"/v1_test","count":7,"tags":null})");
}

TEST(ElasticsearchMapping, ChoosesFieldsActionAndVersion) {
  const std::vector<BulkAction> actions = mapped({{"index", "{{i}}"},
                                                  {"id", "{org_id}"},
                                                  {"action", "index"},
                                                  {"version-field", "count"},
                                                  {"exclude-fields", "date, url"},
                                                  {"ignore-null-fields", "true"}},
                                                 one_row());
  EXPECT_EQ(actions[0].kind, ActionKind::kIndex);
  EXPECT_EQ(actions[0].index, "{i}");
  EXPECT_EQ(actions[0].version, 7);
  EXPECT_EQ(actions[0].source, R"({"org_id":"org1","count":7})");
  const std::vector<BulkAction> without_id = mapped({{"index", "i"}}, one_row());
  EXPECT_EQ(without_id[0].kind, ActionKind::kIndex);
  EXPECT_FALSE(without_id[0].id.has_value());
}

TEST(ElasticsearchMapping, FollowsRowKinds) {
  EXPECT_TRUE(mapped({{"index", "i"}, {"id", "{url}"}}, one_row(RowKind::kUpdateBefore)).empty());
  const std::vector<BulkAction> actions =
      mapped({{"index", "i"}, {"id", "{url}"}}, one_row(RowKind::kDelete));
  EXPECT_EQ(actions[0].kind, ActionKind::kDelete);
  EXPECT_EQ(actions[0].source, "");
  for (const RowKind kind : {RowKind::kUpdateBefore, RowKind::kDelete}) {
    EXPECT_EQ(
        mapped({{"index", "i"}, {"action", "index"}, {"ignore-row-kinds", "true"}}, one_row(kind))
            .at(0)
            .kind,
        ActionKind::kIndex);
  }
}

TEST(ElasticsearchMapping, NamesWhatIsWrong) {
  EXPECT_THAT(error_of({{"index", "i"}, {"id", "{org}"}}),
              HasSubstr("'mapping.id' names the field 'org'"));
  EXPECT_THAT(error_of({{"index", "i"}, {"id", "{org_id"}}), HasSubstr("'mapping.id'"));
  EXPECT_THAT(error_of({{"index", "i}"}}), HasSubstr("without '{'"));
  EXPECT_THAT(error_of({{"index", "i"}, {"id", "{tags}"}}),
              HasSubstr("cannot use field 'tags' of type ARRAY<STRING>"));
  EXPECT_THAT(error_of({{"index", "i"}, {"action", "upsert"}}), HasSubstr("needs 'mapping.id'"));
  EXPECT_THAT(error_of({{"index", "i"}, {"action", "put"}}), HasSubstr("not 'put'"));
  EXPECT_THAT(error_of({{"index", "i"}, {"exclude-fields", "x"}}), HasSubstr("names 'x'"));
  EXPECT_THAT(error_of({{"index", "i"}, {"id", "{url}"}}, one_row(RowKind::kInsert, true)),
              HasSubstr("field 'url' is null"));
  EXPECT_THAT(error_of({{"index", "i"}, {"id", "{url}"}}, one_row(RowKind::kInsert, false, "")),
              HasSubstr("'mapping.id' makes an empty text of a row"));
}

TEST(ElasticsearchSink, ChecksItsOptions) {
  const auto error = [](std::map<std::string, std::string> options,
                        const LogicalTypePtr& type = counts()) {
    options.try_emplace("hosts", "http://localhost:9200");
    try {
      ElasticsearchSink sink(Options(options), type);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kInvalidArgument);
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(error({}), "accepted");
  EXPECT_EQ(error({{"hosts", "localhost:9200, https://b:9243/"}}), "accepted");
  EXPECT_EQ(error({{"mapping.index", "i"}}), "accepted");
  EXPECT_THAT(error({{"hosts", ""}}), HasSubstr("'hosts' is missing"));
  EXPECT_THAT(error({{"hosts", "ftp://x"}}), HasSubstr("ftp://x"));
  const std::string credentials = error({{"hosts", "http://u:secret@x:9200"}});
  EXPECT_THAT(credentials, HasSubstr("connection.password"));
  EXPECT_THAT(credentials, testing::Not(HasSubstr("secret@")));
  EXPECT_THAT(error({{"bulk-flush.max-action", "5"}}),
              HasSubstr("no option 'bulk-flush.max-action'"));
  EXPECT_THAT(error({{"bulk-flush.max-actions", "0"}}), HasSubstr("bulk-flush.max-actions"));
  EXPECT_THAT(error({{"bulk-flush.backoff.type", "LINEAR"}}), HasSubstr("LINEAR"));
  EXPECT_THAT(error({{"delivery-guarantee", "EXACTLY_ONCE"}}), HasSubstr("deterministic ids"));
  EXPECT_THAT(error({{"failure-handler", "dead-letter"}}), HasSubstr("dead-letter.file"));
  EXPECT_THAT(error({{"api-key", "k"}, {"connection.username", "u"}}),
              HasSubstr("exclude each other"));
  EXPECT_THAT(error({{"mapping.id", "{url}"}}), HasSubstr("needs 'mapping.index'"));
  EXPECT_THAT(error({{"mapping.index", "i"}}, LogicalType::object()), HasSubstr("row type"));
  for (const ElasticsearchOptionDoc& doc : elasticsearch_option_docs()) {
    EXPECT_FALSE(doc.doc.empty()) << doc.key;
  }
}

}  // namespace
}  // namespace flott
