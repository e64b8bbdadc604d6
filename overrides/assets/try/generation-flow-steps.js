// Euler steps along the best velocity field when the data are ±1, half each: where a start ends after n steps.
import { interactive, number, say } from "./kit.js"

/** E[ε − x₀ | x_t = x] for x_t = (1 − t) x₀ + t ε with x₀ = ±1 and ε normal. */
const velocity = (x, t) => (x - Math.tanh(((1 - t) * x) / t ** 2)) / t

function path(start, steps) {
  const points = [start]
  for (let k = 0; k < steps; k++) points.push(points[k] - velocity(points[k], 1 - k / steps) / steps)
  return points
}

// the figure's axes: t = 1 at 50, t = 0 at 280; 0 at 176.5, 1 at 41.5
const down = x => Math.max(8, Math.min(200, 176.5 - 135 * x))
const line = points => points.map((x, k) => `${k ? "L" : "M"}${50 + (230 * k) / (points.length - 1)} ${down(x)}`).join(" ")

export default figure =>
  interactive(
    figure,
    {
      steps: { label: say("步数", "steps"), min: 1, max: 16, step: 1, value: 8 },
      start: { label: say("起点噪声", "noise to start from"), min: -0.2, max: 1.2, step: 0.05, value: 0.3, show: x => number(x) },
    },
    ({ steps, start }, write, drawing, moved) => {
      const ends = [1, 2, steps].map(n => path(start, n).at(-1))
      if (moved) {
        const lines = drawing.querySelectorAll("path.line"), texts = drawing.querySelectorAll("text")
        ;[1, 2, steps].forEach((n, k) => {
          lines[k].setAttribute("d", line(path(start, n)))
          const label = texts[4 + k]
          label.textContent = k < 2 ? "" : say(`${n} 步：${number(ends[k], 3)}`, `${n} step${n > 1 ? "s" : ""}: ${number(ends[k], 3)}`)
          label.setAttribute("y", down(ends[k]) + 4)
        })
        texts[0].textContent = say(`从同一噪声 ${number(start)} 出发，走到 t = 0`, `From the same noise, ${number(start)}, to t = 0`)
      }
      write(say(
        `终点：1 步 ${number(ends[0], 3)}，2 步 ${number(ends[1], 3)}，${steps} 步 ${number(ends[2], 3)}。数据只有 +1 和 −1。`,
        `Ends: 1 step ${number(ends[0], 3)}, 2 steps ${number(ends[1], 3)}, ${steps} steps ${number(ends[2], 3)}. The data are only +1 and −1.`,
      ))
    },
  )
