// One line of JSON each way: a task in, at the end what came of it; and between, URLs for the browser.
import { createInterface } from 'node:readline'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

// What comes next; nothing at the end of the conversation.
export async function hear() {
  const { value, done } = await lines.next()
  return done ? undefined : JSON.parse(value)
}

export function say(what) {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}

// Sends the user somewhere, and tells where the application is come back to.
export async function visit(url) {
  say({ visit: url })
  return (await hear()).landed
}

// The error code of a request that is to be refused.
export async function refusal(request) {
  try {
    await request()
  } catch (error) {
    if (error.error) return error.error
    throw error
  }
  throw new Error('it was not refused')
}
