#include "bindings/temporal.h"

#include "bindings/convert.h"
#include "bindings/python_ref.h"

#include <datetime.h>

// The macros of datetime.h cast as C does.
#pragma GCC diagnostic ignored "-Wold-style-cast"

namespace flott::bindings {
namespace {

constexpr std::int64_t kMicrosPerDay = 86'400'000'000;

void need_datetime() {
  if (PyDateTimeAPI == nullptr) {
    PyDateTime_IMPORT;
    if (PyDateTimeAPI == nullptr) {
      throw_python_error();
    }
  }
}

/// Days since 1970-01-01 of a proleptic Gregorian date, and back (Howard Hinnant's algorithm).
std::int64_t days_from_civil(std::int64_t y, unsigned m, unsigned d) {
  y -= m <= 2 ? 1 : 0;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const auto yoe = static_cast<unsigned>(y - era * 400);
  const unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
  const unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + static_cast<std::int64_t>(doe) - 719468;
}

struct Civil {
  int year;
  int month;
  int day;
};
Civil civil_from_days(std::int64_t z) {
  z += 719468;
  const std::int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const auto doe = static_cast<unsigned>(z - era * 146097);
  const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const unsigned mp = (5 * doy + 2) / 153;
  const unsigned d = doy - (153 * mp + 2) / 5 + 1;
  const unsigned m = mp < 10 ? mp + 3 : mp - 9;
  return {static_cast<int>(static_cast<std::int64_t>(yoe) + era * 400 + (m <= 2 ? 1 : 0)),
          static_cast<int>(m),
          static_cast<int>(d)};
}

struct Split {
  std::int64_t days;
  std::int64_t micros;
};
Split split_days(std::int64_t micros) {
  std::int64_t days = micros / kMicrosPerDay;
  std::int64_t rest = micros % kMicrosPerDay;
  if (rest < 0) {
    --days;
    rest += kMicrosPerDay;
  }
  return {days, rest};
}

std::int64_t micros_of_day(int hour, int minute, int second, int micro) {
  return ((hour * 60LL + minute) * 60 + second) * 1'000'000 + micro;
}

}  // namespace

PyObject* date_to_python(std::int64_t days) {
  need_datetime();
  const Civil c = civil_from_days(days);
  return PyDate_FromDate(c.year, c.month, c.day);
}

PyObject* time_to_python(std::int64_t micros) {
  need_datetime();
  const std::int64_t seconds = micros / 1'000'000;
  return PyTime_FromTime(static_cast<int>(seconds / 3600),
                         static_cast<int>(seconds / 60 % 60),
                         static_cast<int>(seconds % 60),
                         static_cast<int>(micros % 1'000'000));
}

PyObject* timestamp_to_python(std::int64_t micros, bool instant) {
  need_datetime();
  const auto [days, rest] = split_days(micros);
  const Civil c = civil_from_days(days);
  const std::int64_t seconds = rest / 1'000'000;
  return PyDateTimeAPI->DateTime_FromDateAndTime(c.year,
                                                 c.month,
                                                 c.day,
                                                 static_cast<int>(seconds / 3600),
                                                 static_cast<int>(seconds / 60 % 60),
                                                 static_cast<int>(seconds % 60),
                                                 static_cast<int>(rest % 1'000'000),
                                                 instant ? PyDateTime_TimeZone_UTC : Py_None,
                                                 PyDateTimeAPI->DateTimeType);
}

PyObject* interval_to_python(std::int64_t millis) {
  need_datetime();
  const auto [days, rest] = split_days(millis * 1000);
  return PyDelta_FromDSU(static_cast<int>(days),
                         static_cast<int>(rest / 1'000'000),
                         static_cast<int>(rest % 1'000'000));
}

TemporalKind temporal_kind(PyObject* object) {
  need_datetime();
  if (PyDateTime_Check(object) != 0) {
    return TemporalKind::kTimestamp;
  }
  if (PyDate_Check(object) != 0) {
    return TemporalKind::kDate;
  }
  if (PyTime_Check(object) != 0) {
    return TemporalKind::kTime;
  }
  return PyDelta_Check(object) != 0 ? TemporalKind::kTimedelta : TemporalKind::kNone;
}

std::int64_t timedelta_micros(PyObject* object) {
  return PyDateTime_DELTA_GET_DAYS(object) * kMicrosPerDay +
         PyDateTime_DELTA_GET_SECONDS(object) * 1'000'000LL +
         PyDateTime_DELTA_GET_MICROSECONDS(object);
}

Value temporal_to_value(PyObject* object) {
  switch (temporal_kind(object)) {
    case TemporalKind::kDate:
      return Value::date(static_cast<std::int32_t>(
          days_from_civil(PyDateTime_GET_YEAR(object),
                          static_cast<unsigned>(PyDateTime_GET_MONTH(object)),
                          static_cast<unsigned>(PyDateTime_GET_DAY(object)))));
    case TemporalKind::kTime:
      return Value::time(micros_of_day(PyDateTime_TIME_GET_HOUR(object),
                                       PyDateTime_TIME_GET_MINUTE(object),
                                       PyDateTime_TIME_GET_SECOND(object),
                                       PyDateTime_TIME_GET_MICROSECOND(object)));
    case TemporalKind::kTimedelta:
      return Value::interval_millis(timedelta_micros(object) / 1000);
    case TemporalKind::kTimestamp:
      break;
    case TemporalKind::kNone:
      throw_error(ErrorKind::kInternal, "no temporal value: {}", short_repr(object));
  }
  std::int64_t micros = days_from_civil(PyDateTime_GET_YEAR(object),
                                        static_cast<unsigned>(PyDateTime_GET_MONTH(object)),
                                        static_cast<unsigned>(PyDateTime_GET_DAY(object))) *
                            kMicrosPerDay +
                        micros_of_day(PyDateTime_DATE_GET_HOUR(object),
                                      PyDateTime_DATE_GET_MINUTE(object),
                                      PyDateTime_DATE_GET_SECOND(object),
                                      PyDateTime_DATE_GET_MICROSECOND(object));
  const Ref offset = checked(PyObject_CallMethod(object, "utcoffset", nullptr));
  if (offset.get() == Py_None) {
    return Value::timestamp(micros);
  }
  return Value::timestamp_ltz(micros - timedelta_micros(offset.get()));
}

}  // namespace flott::bindings
