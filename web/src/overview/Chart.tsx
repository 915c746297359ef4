import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

/** One line of a chart. */
export interface Series {
  name: string;
  /** A colour of the style sheet, such as `--accent`. */
  colour: string;
  /** As many as there are times; null where it is not known. */
  values: readonly (number | null)[];
  /** What the line says, in words. */
  text: string;
}

interface ChartProps {
  title: string;
  /** Seconds since 1970, ascending. */
  times: readonly number[];
  series: readonly Series[];
  /** Where the numbers come from. */
  source: string;
}

const HEIGHT = 180;
const HOUR = 3600;
const DARK = matchMedia('(prefers-color-scheme: dark)');

/** Lines over the last hour. What they say stands beside them as text, for those who do not see them. */
export function Chart({ title, times, series, source }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const data = useRef<uPlot.AlignedData>([[]]);
  data.current = [times, ...series.map(({ values }) => values)] as uPlot.AlignedData;
  const plot = useRef<uPlot | null>(null);
  const lines = JSON.stringify(series.map(({ name, colour }) => [name, colour]));

  useEffect(() => {
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(box.current!, JSON.parse(lines)), data.current, box.current!);
    };
    draw();
    const resized = new ResizeObserver(() =>
      plot.current?.setSize({ width: box.current!.clientWidth, height: HEIGHT }),
    );
    resized.observe(box.current!);
    // The colours are drawn, not styled.
    DARK.addEventListener('change', draw);
    return () => {
      DARK.removeEventListener('change', draw);
      resized.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [lines]);
  useEffect(() => plot.current?.setData(data.current));

  return (
    <figure className="chart">
      <figcaption>
        <h3>{title}</h3>
        <ul>
          {series.map(({ name, colour, text }) => (
            <li key={name}>
              <span className="swatch" style={{ background: `var(${colour})` }} aria-hidden="true" />
              {name}: {text}
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={box} className="plot" aria-hidden="true" />
      <p className="help">{source}</p>
    </figure>
  );
}

function options(box: HTMLElement, lines: readonly [string, string][]): uPlot.Options {
  const styles = getComputedStyle(box);
  const colour = (name: string) => resolved(box, styles.getPropertyValue(name));
  const axis = { stroke: colour('--soft'), grid: { stroke: colour('--line') }, ticks: { stroke: colour('--line') } };
  return {
    width: box.clientWidth,
    height: HEIGHT,
    cursor: { show: false },
    legend: { show: false },
    scales: {
      x: { range: () => [Date.now() / 1000 - HOUR, Date.now() / 1000] },
      y: { range: (_, __, most) => [0, Math.max(1, (most ?? 0) * 1.1)] },
    },
    axes: [axis, { ...axis, size: 56 }],
    series: [
      {},
      ...lines.map(([label, name]) => ({
        label,
        stroke: colour(name),
        width: 2,
        points: { show: true, size: 5, fill: colour(name), filter: alone },
      })),
    ],
  };
}

/** Returns the indexes of the values without a neighbour, through which no line goes. */
function alone({ data }: uPlot, series: number): number[] {
  const values = data[series]!;
  const known = (index: number) => typeof values[index] === 'number';
  return [...values.keys()].filter((index) => known(index) && !known(index - 1) && !known(index + 1));
}

/** Returns a colour as a canvas takes it: that of `light-dark()` which is in use. */
function resolved(box: HTMLElement, colour: string): string {
  const probe = document.createElement('span');
  probe.style.color = colour;
  box.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
