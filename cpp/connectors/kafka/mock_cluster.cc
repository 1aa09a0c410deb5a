#include "connectors/kafka/mock_cluster.h"

#include <exception>

namespace flott::kafka {

MockCluster::MockCluster(int brokers) {
  client_ = make_client(RD_KAFKA_PRODUCER, make_conf({{"client.id", "flott-mock"}}));
  cluster_ = rd_kafka_mock_cluster_new(client_.get(), brokers);
  if (cluster_ == nullptr) {
    throw_error(ErrorKind::kExternal, "the embedded Kafka brokers could not be started");
  }
}

MockCluster::~MockCluster() {
  rd_kafka_mock_cluster_destroy(cluster_);
}

std::string MockCluster::bootstrap_servers() const {
  return rd_kafka_mock_cluster_bootstraps(cluster_);
}

void MockCluster::create_topic(const std::string& topic, int partitions) {
  check_kafka(rd_kafka_mock_topic_create(cluster_, topic.c_str(), partitions, 1),
              fmt::format("cannot create the topic '{}' on the embedded brokers", topic));
}

void MockCluster::set_broker_up(int broker, bool up) {
  check_kafka(up ? rd_kafka_mock_broker_set_up(cluster_, broker)
                 : rd_kafka_mock_broker_set_down(cluster_, broker),
              "cannot switch an embedded broker");
}

void MockCluster::set_delay(int broker, int milliseconds) {
  check_kafka(rd_kafka_mock_broker_set_rtt(cluster_, broker, milliseconds),
              "cannot slow down an embedded broker");
}

}  // namespace flott::kafka

namespace {
flott::kafka::MockCluster& cluster_of(void* handle) {
  return *static_cast<flott::kafka::MockCluster*>(handle);
}
}  // namespace

extern "C" {

void* flott_mock_cluster_start(int brokers) {
  try {
    return new flott::kafka::MockCluster(brokers);
  } catch (const std::exception&) {
    return nullptr;
  }
}

const char* flott_mock_cluster_bootstrap_servers(void* cluster) {
  return rd_kafka_mock_cluster_bootstraps(cluster_of(cluster).handle());
}

int flott_mock_cluster_create_topic(void* cluster, const char* topic, int partitions) {
  try {
    cluster_of(cluster).create_topic(topic, partitions);
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}

int flott_mock_cluster_set_broker_up(void* cluster, int broker, int up) {
  try {
    cluster_of(cluster).set_broker_up(broker, up != 0);
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}

void flott_mock_cluster_stop(void* cluster) {
  delete static_cast<flott::kafka::MockCluster*>(cluster);
}
}
