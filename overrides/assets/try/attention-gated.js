// The gate of a new cross-attention layer: shut at α = 0, and yet it learns.
import { interactive, number, say } from "./kit.js"

export default figure =>
  interactive(
    figure,
    { alpha: { label: say("门 α", "gate α"), min: -3, max: 3, step: 0.1, value: 0, show: a => number(a, 1) } },
    ({ alpha }, write, drawing, moved) => {
      const open = Math.tanh(alpha), slope = 1 - open ** 2
      if (moved) {
        const gate = [...drawing.querySelectorAll("text")].find(text => text.textContent.includes("tanh"))
        gate.textContent = `× tanh(${number(alpha, 1)}) = ${number(open)}`
      }
      write(say(
        `输出 = x ${open < 0 ? "−" : "+"} ${number(Math.abs(open))} · 交叉注意力。对 α 的导数是 ${number(slope)} · 交叉注意力：α = 0 时门关着，导数却最大，所以学得动。`,
        `Output = x ${open < 0 ? "−" : "+"} ${number(Math.abs(open))} · cross-attention. Its slope in α is ${number(slope)} · cross-attention: at α = 0 the gate is shut, yet the slope is largest, so it can learn.`,
      ))
    },
  )
