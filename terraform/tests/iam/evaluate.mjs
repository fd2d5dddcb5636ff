// Evaluates IAM requests: reads one as JSON from each line of standard input, and writes the result to a line of standard
// output.
import { createInterface } from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'

for await (const line of createInterface({ input: process.stdin })) {
  const { policies, resourcePolicy, request } = JSON.parse(line)
  const { overallResult, errors, result } = await runSimulation(
    {
      request,
      identityPolicies: policies.map((policy, index) => ({ name: `${index}`, policy })),
      resourcePolicy,
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  )
  console.log(JSON.stringify({ result: overallResult, errors, ignored: result?.ignoredContextKeys }))
}
