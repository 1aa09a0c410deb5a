#include "connectors/kafka/properties.h"

#include "base/log.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <set>
#include <system_error>

namespace flott::kafka {
namespace {

enum class Scope { kBoth, kConsumer, kProducer };
using Convert = void (*)(const std::string& name, const std::string& value, ClientSettings& out);

struct Property {
  const char* java;
  const char* ours;  ///< librdkafka's name; null: ignored, or made by `convert`
  Scope scope = Scope::kBoth;
  Convert convert = nullptr;
};

std::string lower(std::string text) {
  for (char& c : text) {
    c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  return text;
}

bool ends_with_any(const std::string& text, std::initializer_list<const char*> ends) {
  for (const char* end : ends) {
    if (lower(text).ends_with(end)) {
      return true;
    }
  }
  return false;
}

void refuse_java_store(const std::string& name, const std::string& value, const char* instead) {
  if (ends_with_any(value, {".jks", ".p12", ".pfx", ".pkcs12", ".keystore", ".truststore"})) {
    throw_error(ErrorKind::kInvalidArgument,
                "'{}' = '{}' is a Java key store, which only Java reads; give {} "
                "(keytool -exportcert -rfc, or openssl pkcs12, converts it)",
                name,
                value,
                instead);
  }
}

/// OpenSSL's own message names neither the file nor the setting.
void require_readable(const std::string& name, const std::string& value) {
  if (access(value.c_str(), R_OK) != 0) {
    throw_error(ErrorKind::kInvalidArgument,
                "'{}' = '{}' cannot be read: {}",
                name,
                value,
                std::generic_category().message(errno));
  }
}

void convert_truststore(const std::string& name, const std::string& value, ClientSettings& out) {
  refuse_java_store(name, value, "a PEM file with the CA certificates");
  require_readable(name, value);
  out["ssl.ca.location"] = value;
}

void convert_keystore(const std::string& name, const std::string& value, ClientSettings& out) {
  if (ends_with_any(value, {".p12", ".pfx", ".pkcs12"})) {
    require_readable(name, value);
    out["ssl.keystore.location"] = value;  // librdkafka reads PKCS#12 key stores
    return;
  }
  refuse_java_store(name, value, "a PEM file with certificate and key, or a PKCS#12 file (.p12)");
  require_readable(name, value);
  out["ssl.certificate.location"] = value;
  out["ssl.key.location"] = value;
}

void convert_store_type(const std::string& name,
                        const std::string& value,
                        ClientSettings& /*out*/) {
  if (lower(value) == "jks") {
    throw_error(ErrorKind::kInvalidArgument,
                "'{}' = '{}' is only read by Java; use PEM files",
                name,
                value);
  }
}

/// `key=value` or `key="value"` of a JAAS line; quotes may be escaped.
std::string jaas_option(const std::string& line, const std::string& key) {
  for (std::size_t at = line.find(key); at != std::string::npos; at = line.find(key, at + 1)) {
    const bool starts = at == 0 || std::strchr(" \t\n;", line[at - 1]) != nullptr;
    std::size_t i = at + key.size();
    while (i < line.size() && line[i] == ' ') {
      ++i;
    }
    if (!starts || i >= line.size() || line[i] != '=') {
      continue;
    }
    ++i;
    while (i < line.size() && line[i] == ' ') {
      ++i;
    }
    std::string value;
    if (i < line.size() && (line[i] == '"' || line[i] == '\'')) {
      const char quote = line[i++];
      for (; i < line.size() && line[i] != quote; ++i) {
        if (line[i] == '\\' && i + 1 < line.size()) {
          ++i;
        }
        value.push_back(line[i]);
      }
    } else {
      for (; i < line.size() && std::strchr(" \t\n;", line[i]) == nullptr; ++i) {
        value.push_back(line[i]);
      }
    }
    return value;
  }
  return {};
}

void convert_jaas(const std::string& name, const std::string& value, ClientSettings& out) {
  const bool known = value.find("PlainLoginModule") != std::string::npos ||
                     value.find("ScramLoginModule") != std::string::npos;
  if (!known) {
    throw_error(ErrorKind::kInvalidArgument,
                "'{}' must name PlainLoginModule or ScramLoginModule with username and password",
                name);
  }
  out["sasl.username"] = jaas_option(value, "username");
  out["sasl.password"] = jaas_option(value, "password");
  if (out["sasl.username"].empty()) {
    throw_error(ErrorKind::kInvalidArgument, "'{}' has no username=\"...\"", name);
  }
}

void convert_identification(const std::string& /*name*/,
                            const std::string& value,
                            ClientSettings& out) {
  out["ssl.endpoint.identification.algorithm"] = value.empty() ? "none" : lower(value);
}

void convert_offset_reset(const std::string& name, const std::string& value, ClientSettings& out) {
  const std::string reset = lower(value);
  if (reset != "earliest" && reset != "latest" && reset != "none") {
    throw_error(ErrorKind::kInvalidArgument,
                "'{}' must be earliest, latest or none, but is '{}'",
                name,
                value);
  }
  out["auto.offset.reset"] = reset == "none" ? "error" : reset;
}

/// As the Java client reads them: in any case, blanks around them.
void convert_boolean(const std::string& name, const std::string& value, ClientSettings& out) {
  const std::size_t begin = value.find_first_not_of(" \t\r\n");
  const std::string text =
      begin == std::string::npos
          ? ""
          : lower(value.substr(begin, value.find_last_not_of(" \t\r\n") - begin + 1));
  if (text != "true" && text != "false") {
    throw_error(
        ErrorKind::kInvalidArgument, "'{}' must be true or false, but is '{}'", name, value);
  }
  out[name] = text;
}

void convert_acks(const std::string& /*name*/, const std::string& value, ClientSettings& out) {
  out["acks"] = value;
  if (value != "all" && value != "-1") {
    // As the Java client does: weaker acknowledgements switch idempotence off unless it was asked
    // for.
    out.emplace("enable.idempotence", "false");
  }
}

constexpr Property kProperties[] = {
    // Same name and meaning.
    {"bootstrap.servers", "bootstrap.servers"},
    {"client.id", "client.id"},
    {"group.id", "group.id", Scope::kConsumer},
    {"group.instance.id", nullptr},
    {"security.protocol", "security.protocol"},
    {"sasl.mechanism", "sasl.mechanism"},
    {"sasl.kerberos.service.name", "sasl.kerberos.service.name"},
    {"sasl.username", "sasl.username"},
    {"sasl.password", "sasl.password"},
    {"ssl.cipher.suites", "ssl.cipher.suites"},
    {"ssl.ca.location", "ssl.ca.location"},
    {"ssl.ca.pem", "ssl.ca.pem"},
    {"ssl.certificate.location", "ssl.certificate.location"},
    {"ssl.key.location", "ssl.key.location"},
    {"isolation.level", "isolation.level", Scope::kConsumer},
    {"fetch.min.bytes", "fetch.min.bytes", Scope::kConsumer},
    {"fetch.max.bytes", "fetch.max.bytes", Scope::kConsumer},
    {"client.rack", "client.rack"},
    {"metadata.max.age.ms", "metadata.max.age.ms"},
    {"connections.max.idle.ms", "connections.max.idle.ms"},
    {"reconnect.backoff.ms", "reconnect.backoff.ms"},
    {"reconnect.backoff.max.ms", "reconnect.backoff.max.ms"},
    {"retry.backoff.ms", "retry.backoff.ms"},
    {"linger.ms", "linger.ms", Scope::kProducer},
    {"batch.size", "batch.size", Scope::kProducer},
    {"compression.type", "compression.type", Scope::kProducer},
    {"retries", "message.send.max.retries", Scope::kProducer},
    {"delivery.timeout.ms", "delivery.timeout.ms", Scope::kProducer},
    {"transaction.timeout.ms", "transaction.timeout.ms", Scope::kProducer},
    {"allow.duplicates.on.restore", nullptr, Scope::kProducer},
    {"max.in.flight.requests.per.connection",
     "max.in.flight.requests.per.connection",
     Scope::kProducer},
    // Renamed.
    {"fetch.max.wait.ms", "fetch.wait.max.ms", Scope::kConsumer},
    {"max.partition.fetch.bytes", "fetch.message.max.bytes", Scope::kConsumer},
    {"max.request.size", "message.max.bytes", Scope::kProducer},
    {"request.timeout.ms", "socket.timeout.ms"},
    {"receive.buffer.bytes", "socket.receive.buffer.bytes"},
    {"send.buffer.bytes", "socket.send.buffer.bytes"},
    {"socket.connection.setup.timeout.ms", "socket.connection.setup.timeout.ms"},
    {"ssl.key.password", "ssl.key.password"},
    {"ssl.keystore.password", "ssl.keystore.password"},
    // Converted.
    {"acks", nullptr, Scope::kProducer, &convert_acks},
    {"allow.auto.create.topics", nullptr, Scope::kConsumer, &convert_boolean},
    {"check.crcs", nullptr, Scope::kConsumer, &convert_boolean},
    {"enable.idempotence", nullptr, Scope::kProducer, &convert_boolean},
    {"auto.offset.reset", nullptr, Scope::kConsumer, &convert_offset_reset},
    {"sasl.jaas.config", nullptr, Scope::kBoth, &convert_jaas},
    {"ssl.truststore.location", nullptr, Scope::kBoth, &convert_truststore},
    {"ssl.truststore.type", nullptr, Scope::kBoth, &convert_store_type},
    {"ssl.keystore.location", nullptr, Scope::kBoth, &convert_keystore},
    {"ssl.keystore.type", nullptr, Scope::kBoth, &convert_store_type},
    {"ssl.endpoint.identification.algorithm", nullptr, Scope::kBoth, &convert_identification},
    // Ignored: without meaning here, or done by Flott itself.
    {"ssl.truststore.password", nullptr},
    {"ssl.protocol", nullptr},
    {"ssl.enabled.protocols", nullptr},
    {"key.deserializer", nullptr},
    {"value.deserializer", nullptr},
    {"key.serializer", nullptr},
    {"value.serializer", nullptr},
    {"enable.auto.commit", nullptr},
    {"auto.commit.interval.ms", nullptr},
    {"max.poll.records", nullptr},
    {"max.poll.interval.ms", nullptr},
    {"session.timeout.ms", nullptr},
    {"heartbeat.interval.ms", nullptr},
    {"partition.assignment.strategy", nullptr},
    {"partition.discovery.interval.ms", nullptr},
    {"commit.offsets.on.checkpoint", nullptr},
    {"client.id.prefix", nullptr},
    {"register.consumer.metrics", nullptr},
    {"register.producer.metrics", nullptr},
    {"exclude.internal.topics", nullptr},
    {"default.api.timeout.ms", nullptr},
    {"interceptor.classes", nullptr},
    {"metric.reporters", nullptr},
    {"metrics.num.samples", nullptr},
    {"metrics.recording.level", nullptr},
    {"metrics.sample.window.ms", nullptr},
    {"buffer.memory", nullptr},
    {"max.block.ms", nullptr},
    {"partitioner.class", nullptr},
    {"client.dns.lookup", nullptr},
    {"sasl.login.callback.handler.class", nullptr},
    {"sasl.client.callback.handler.class", nullptr},
};

bool librdkafka_knows(const std::string& name, const std::string& value) {
  const Conf probe(rd_kafka_conf_new());
  char text[256];
  return rd_kafka_conf_set(probe.get(), name.c_str(), value.c_str(), text, sizeof text) !=
         RD_KAFKA_CONF_UNKNOWN;
}

void warn_unknown_once(const std::string& name) {
  static std::mutex mutex;
  static std::set<std::string> warned;
  {
    const std::lock_guard lock(mutex);
    if (!warned.insert(name).second) {
      return;
    }
  }
  log(LogLevel::kWarn,
      "flott.kafka",
      "the Kafka setting '{}' is not known and has no effect; check its spelling",
      name);
}

}  // namespace

ClientSettings map_properties(const std::map<std::string, std::string>& properties,
                              ClientRole role) {
  ClientSettings settings;
  for (const auto& [name, value] : properties) {
    const Property* found = nullptr;
    for (const Property& property : kProperties) {
      if (name == property.java) {
        found = &property;
      }
    }
    if (found == nullptr) {
      if (librdkafka_knows(name, value)) {
        settings[name] = value;
      } else {
        warn_unknown_once(name);
      }
      continue;
    }
    const bool applies = found->scope == Scope::kBoth ||
                         (found->scope == Scope::kConsumer) == (role == ClientRole::kConsumer);
    if (!applies) {
      log(LogLevel::kDebug, "flott.kafka", "the Kafka setting '{}' is for the other side", name);
    } else if (found->convert != nullptr) {
      found->convert(name, value, settings);
    } else if (found->ours != nullptr) {
      settings[found->ours] = value;
    } else {
      log(LogLevel::kDebug, "flott.kafka", "the Kafka setting '{}' is not needed here", name);
    }
  }
  return settings;
}

}  // namespace flott::kafka
