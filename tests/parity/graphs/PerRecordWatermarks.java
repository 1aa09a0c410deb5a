package flott.explore;

import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkGeneratorSupplier;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;

/**
 * A watermark on every n-th record, so that it does not depend on the clock what is late. PyFlink has no
 * such generator of its own; PerRecordGenerator in graph_functions.py is the same for Flott.
 */
public final class PerRecordWatermarks implements WatermarkStrategy<Object> {
  private final long delay;
  private final long every;

  public PerRecordWatermarks(long delay, long every) {
    this.delay = delay;
    this.every = every;
  }

  @Override
  public WatermarkGenerator<Object> createWatermarkGenerator(WatermarkGeneratorSupplier.Context context) {
    return new WatermarkGenerator<>() {
      private long highest = Long.MIN_VALUE;
      private long seen = 0;

      @Override
      public void onEvent(Object event, long timestamp, WatermarkOutput output) {
        highest = Math.max(highest, timestamp);
        seen++;
        if (seen % every == 0) {
          output.emitWatermark(new Watermark(highest - delay - 1));
        }
      }

      @Override
      public void onPeriodicEmit(WatermarkOutput output) {}
    };
  }
}
