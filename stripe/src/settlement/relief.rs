//! Spreading what is taken back from an invoice over its lines and its tax.

use tallybook_domain::money::largest_remainder;
use tallybook_domain::subscriptions::{InvoiceLine, LineRelief};

/// `total` of the invoice's lines, and its tax share if `tax` is not given: parts that sum to `total` exactly. The whole of
/// an invoice gives back each line as it is; a part is spread by size (largest remainder), negative lines left alone.
pub(super) fn spread(
    total: i64,
    tax: Option<i64>,
    lines: &[InvoiceLine],
    invoice_tax: i64,
) -> (i64, Vec<LineRelief>) {
    let whole: i64 = lines.iter().map(|line| line.amount).sum::<i64>() + invoice_tax;
    if total == whole && tax.is_none_or(|tax| tax == invoice_tax) {
        let reliefs = lines.iter().map(|line| relief(line, line.amount));
        return (invoice_tax, reliefs.filter(|it| it.amount != 0).collect());
    }
    let line_weights = lines.iter().map(|line| line.amount.max(0));
    let (tax, parts) = if let Some(tax) = tax {
        let weights: Vec<i64> = line_weights.collect();
        (tax, largest_remainder(total - tax, &weights))
    } else {
        let weights: Vec<i64> = line_weights.chain([invoice_tax.max(0)]).collect();
        let mut parts = largest_remainder(total, &weights);
        (parts.pop().unwrap_or_default(), parts)
    };
    let reliefs = lines.iter().zip(parts).map(|(line, amount)| relief(line, amount));
    (tax, reliefs.filter(|it| it.amount != 0).collect())
}

fn relief(line: &InvoiceLine, amount: i64) -> LineRelief {
    LineRelief {
        line: line.line.clone(),
        amount,
        tax: 0,
    }
}
